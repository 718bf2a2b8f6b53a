import { setTimeout as pause } from 'node:timers/promises'
import { createBus } from '@waybill/core'
import { openCarrier } from './carrier.ts'
import { consume, placedIn } from './parts.ts'
import { ensure, QUIET_MS, verdictOf, type Scenario } from './scenario.ts'
import { judge, type Verdict } from './verdict.ts'
import { openWorld, type WorldAt } from './world.ts'

const IDS = 40
const COPIES_AFTER_MS = 2_000

/** An inbox swept while copies may still come: the price of a retention shorter than any redelivery. */
export const shortRetention: Scenario = {
  row: 13,
  what: 'copies that come after the inbox was swept: the price of a short retention',
  quick: true,
  async run({ seed, ...at }) {
    const [verdict, short] = await Promise.all([redeliver(at, seed, undefined), redeliver(at, seed, 1_000)])
    ensure(
      short.doubled === IDS && short.lost === 0,
      `a retention of 1 s, and copies after 2 s: ${JSON.stringify(short)}`,
    )
    return { verdict, note: `with a retention of 1 s, of ${IDS} copies that came after 2 s ${short.doubled} doubled` }
  },
}

async function redeliver(at: WorldAt, seed: number, retentionMs: number | undefined): Promise<Verdict> {
  await using world = await openWorld(at, { operations: IDS, window: 1 })
  const { place, pool } = world
  await using consumer = await consume(place, () => {}, { retentionMs })
  const { inbox } = consumer
  await using bus = createBus({ transport: openCarrier(place.carrier, pool, place.broker), source: '/orders' })
  const Placed = placedIn(place)
  const publishAll = async () => {
    for (let key = 1; key <= IDS; key++) {
      const op = `${seed}/${key}`
      await bus.publish(Placed, { op, key, number: 1 }, { id: op })
    }
  }
  for (let key = 1; key <= IDS; key++) {
    await pool.query(`insert into "${place.log}".orders values ($1, $2, 1)`, [`${seed}/${key}`, key])
  }
  await publishAll()
  await verdictOf(world)
  while (await youngerThan(world, COPIES_AFTER_MS)) await pause(50)
  const swept = await inbox.sweep()
  ensure(swept === (retentionMs === undefined ? 0 : IDS), `the inbox forgot ${swept}`)
  await publishAll()
  const came = () => inbox.counts.handled + inbox.counts.duplicates
  const untilMs = performance.now() + 30_000
  while (came() < 2 * IDS && performance.now() < untilMs) await pause(20)
  await pause(QUIET_MS)
  ensure(came() === 2 * IDS, `of ${2 * IDS} copies ${came()} came`)
  return await judge(pool, place)
}

/** By the database's clock, as the sweep goes. */
async function youngerThan({ place, pool }: Awaited<ReturnType<typeof openWorld>>, ageMs: number): Promise<boolean> {
  const { rows } = await pool.query(
    `select exists (select from "${place.broker}".inbox where handled_at > now() - $1 * interval '1 ms') as younger`,
    [ageMs],
  )
  return rows[0].younger as boolean
}
