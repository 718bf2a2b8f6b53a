import { setTimeout as pause } from 'node:timers/promises'
import { createBus } from '@waybill/core'
import { createOutbox } from '@waybill/outbox-pg'
import { openCarrier } from './carrier.ts'
import { consume, placedIn, relay } from './parts.ts'
import { ensure, verdictOf, type Scenario } from './scenario.ts'
import { openWorld, type World } from './world.ts'

const IDS = 40

/** Messages with one dedupe key and different bodies: the first one counts, at the outbox as at the inbox. */
export const sameKey: Scenario = {
  row: 14,
  what: 'one dedupe key, different bodies: the first counts, and the inbox tells how many differed',
  quick: true,
  async run({ seed, ...at }) {
    await using world = await openWorld(at, { operations: IDS, window: 20 })
    const { place, pool } = world
    await using consumer = await consume(place, () => {})
    await using _relay = relay(place, () => {})
    await using bus = createBus({ transport: openCarrier(place.carrier, pool, place.broker), source: '/orders' })
    const outbox = createOutbox({ db: pool, source: '/orders', schema: place.log, transport: 'carrier' })
    const Placed = placedIn(place)
    const Keyed = { ...Placed, dedupeKey: ({ op }: { op: string }) => op }
    for (let key = 1; key <= IDS; key++) {
      const op = `${seed}/${key}`
      await pool.query(`insert into "${place.log}".orders values ($1, $2, 1)`, [op, key])
      // odd ones meet at the outbox, even ones at the inbox; the third is a true copy of the first
      for (const number of [1, 2, 1]) {
        if (key % 2 === 0) await bus.publish(Keyed, { op, key, number })
        else
          await outbox.transaction(async (_trx, messages) =>
            messages.publish(Placed, { op, key, number }, { dedupeKey: op }),
          )
      }
    }
    const { inbox } = consumer
    const untilMs = performance.now() + 30_000
    while (inbox.counts.duplicates < IDS && performance.now() < untilMs) await pause(20)
    const verdict = await verdictOf(world)
    const { handled, duplicates, mismatches } = inbox.counts
    ensure(
      handled === IDS && duplicates === IDS && mismatches === IDS / 2,
      `of ${IDS} keys ${handled} were handled, with ${duplicates} duplicates, of which ${mismatches} differed`,
    )
    ensure((await effectsOfLater(world)) === 0, 'a later body had the effect')
    return { verdict, note: `${mismatches} duplicates differed from the first, and were counted` }
  },
}

async function effectsOfLater({ place, pool }: World): Promise<number> {
  const { rows } = await pool.query(`select count(*)::int as count from "${place.broker}".effects where number <> 1`)
  return rows[0].count as number
}
