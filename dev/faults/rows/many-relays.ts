import { setTimeout as pause } from 'node:timers/promises'
import { seededRandom } from '../seeded-random.ts'
import { ChildPart } from './child-part.ts'
import { consume } from './parts.ts'
import { produceUntil, verdictOf, type Scenario } from './scenario.ts'
import { openWorld } from './world.ts'

const BLOWS = 12
const LEASE_MS = 500

/** Two to ten relays, killed, frozen past their lease and started again at random while messages are written. */
export const manyRelays: Scenario = {
  row: 31,
  what: 'two to ten relays, killed, frozen and started again at random',
  async run({ seed, ...at }) {
    const random = seededRandom(seed * 1_000 + 31)
    await using world = await openWorld(at, { operations: 0, window: 20 })
    const { place } = world
    await using _consumer = await consume(place, () => {})
    await using parts = new AsyncDisposableStack()
    const relays = Array.from({ length: 2 + Math.floor(random() * 9) }, () => new ChildPart('relay', place))
    parts.defer(async () => void (await Promise.all(relays.map((relay) => relay.kill()))))
    let kills = 0
    const troubled = (async () => {
      for (let blow = 0; blow < BLOWS; blow++) {
        await pause(100 + random() * 500)
        const at = Math.floor(random() * relays.length)
        if (random() < 0.5) {
          await relays[at]!.kill()
          kills++
          relays[at] = new ChildPart('relay', place)
        } else {
          relays[at]!.freeze()
          await pause(random() * 3 * LEASE_MS)
          relays[at]!.thaw()
        }
      }
    })()
    let over = false
    await Promise.all([troubled.finally(() => (over = true)), produceUntil(world, () => over)])
    return { kills, verdict: await verdictOf(world) }
  },
}
