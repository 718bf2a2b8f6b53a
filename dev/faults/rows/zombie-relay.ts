import { setTimeout as pause } from 'node:timers/promises'
import { seededRandom } from '../seeded-random.ts'
import { ChildPart } from './child-part.ts'
import { consume } from './parts.ts'
import { holdsAny, lastWriter, watchWrites, whatWasWritten } from './reader-writes.ts'
import { ensure, produceUntil, verdictOf, type Scenario } from './scenario.ts'
import { openWorld } from './world.ts'

const FREEZES = 6

/** Two relays; one that holds a lease is frozen past it, and wakes up when the other has taken over all that it held. */
export const zombieRelay: Scenario = {
  row: 32,
  what: 'relay frozen past its lease, then woken: its late writes are refused',
  async run({ seed, ...at }) {
    const random = seededRandom(seed * 1_000 + 32)
    await using world = await openWorld(at, { operations: 0, window: 20 })
    const { place } = world
    await watchWrites(world)
    await using _consumer = await consume(place, () => {})
    await using one = new ChildPart('relay', place, { env: { PGAPPNAME: 'one' } })
    await using two = new ChildPart('relay', place, { env: { PGAPPNAME: 'two' } })
    const relays: Record<string, ChildPart> = { one, two }
    let over = false
    const freezing = (async () => {
      for (let freeze = 0; freeze < FREEZES; freeze++) {
        const holder = await lastWriter(world)
        await pause(random() * 200)
        relays[holder]!.freeze()
        while (await holdsAny(world, holder)) await pause(20)
        relays[holder]!.thaw()
        await pause(random() * 400)
      }
    })()
    await Promise.all([freezing.finally(() => (over = true)), produceUntil(world, () => over)])
    const verdict = await verdictOf(world)
    const { refused, backwards } = await whatWasWritten(world)
    ensure(backwards === 0, `${backwards} writes of the reader's row came from a holder whose lease was taken over`)
    return { kills: FREEZES, verdict, note: `${refused} late writes refused` }
  },
}
