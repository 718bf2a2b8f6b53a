import { setTimeout as pause } from 'node:timers/promises'
import { LEASE_MS } from './carrier.ts'
import { ChildPart } from './child-part.ts'
import { produce } from './parts.ts'
import { ensure, verdictOf, type Scenario } from './scenario.ts'
import { skewedClock } from './skewed-clock.ts'
import { judge } from './verdict.ts'
import { openWorld, type World } from './world.ts'

const OPERATIONS = 40
/** A little more than the hour that some brokers allow. */
const SKEW_MINUTES = 61
const RETENTION_MS = 10 * 60_000
/** Longer than any session and lease here. */
const AFTER_JUMP_MS = 8_000

/** Producer, relays and consumer whose clocks are an hour ahead or behind, and jump while they run. */
export const clockSkew: Scenario = {
  row: 30,
  what: 'clocks an hour ahead and behind, which jump: leases, waits and retention go by the database',
  async run(at) {
    using ahead = await skewedClock(SKEW_MINUTES)
    using behind = await skewedClock(-SKEW_MINUTES)
    await using world = await openWorld(at, { operations: OPERATIONS, window: 20 })
    const { place } = world
    const consumer = { failing: 0.2, retentionMs: RETENTION_MS, sweepEveryMs: 100 }
    await using parts = new AsyncDisposableStack()
    parts.use(new ChildPart('consumer', place, { env: { ...ahead.env, CONSUME: JSON.stringify(consumer) } }))
    const relays = [ahead, behind].map(({ env }) => parts.use(new ChildPart('relay', place, { env })))
    if (place.carrier.name === 'postgres') while (!(await isRead(world))) await pause(20)
    let longestLeaseMs = 0
    let over = false
    const watching = (async () => {
      for (; !over; await pause(50)) longestLeaseMs = Math.max(longestLeaseMs, await leaseLeftMs(world))
    })()
    let operations = 0
    const more = async (env: NodeJS.ProcessEnv) => {
      operations += OPERATIONS
      await using producer = new ChildPart('producer', { ...place, operations }, { env })
      ensure((await producer.ended) === 0, 'a producer failed')
    }
    try {
      await more(ahead.env)
      await more(behind.env)
      for (const [first, second] of [
        [-1, 1],
        [1, -1],
      ] as const) {
        ahead.jump(first * SKEW_MINUTES)
        behind.jump(second * SKEW_MINUTES)
        await more(ahead.env)
        const untilMs = performance.now() + AFTER_JUMP_MS
        while (performance.now() < untilMs) {
          await produce({ ...place, operations: (operations += 5) }, () => {})
          await pause(200)
        }
        await settled(world)
      }
      await relays[0]!.kill()
      await more(behind.env)
      const verdict = await verdictOf(world)
      await byTheDatabase(world)
      return { kills: 1, verdict, note: `the longest lease had ${Math.round(longestLeaseMs)} ms left` }
    } finally {
      over = true
      await watching
      ensure(longestLeaseMs <= LEASE_MS, `a lease had ${longestLeaseMs} ms left, of ${LEASE_MS}`)
    }
  },
}

/** Whatever the jump did to sessions and time-outs, it does not last. */
async function settled({ place, pool }: World): Promise<void> {
  for (const untilMs = performance.now() + 10_000; (await judge(pool, place)).lost > 0; await pause(50)) {
    ensure(performance.now() < untilMs, 'not all was handled within 10 s of a jump')
  }
}

async function leaseLeftMs({ place, pool }: World): Promise<number> {
  const { rows } = await pool.query(
    `select coalesce(max(extract(epoch from leased_until - clock_timestamp())), 0)::float8 * 1000 as left from "${place.log}".reader`,
  )
  return rows[0].left as number
}

/** Ids are unique, the times of messages are the database's, and nothing was forgotten before its time. */
async function byTheDatabase({ place: { log, broker }, pool }: World): Promise<void> {
  const { rows } = await pool.query(`
    select (select count(*) - count(distinct message_id) from "${log}".outbox)::int as repeated,
      (select count(*) from "${log}".outbox where abs(extract(epoch from clock_timestamp() - created_at)) > 600)::int as elsewhen,
      (select count(*) from "${log}".orders)::int as committed,
      (select count(*) from "${broker}".inbox)::int as remembered`)
  const { repeated, elsewhen, committed, remembered } = rows[0]
  ensure(repeated === 0, `${repeated} ids were given twice`)
  ensure(elsewhen === 0, `${elsewhen} messages carry a time of their sender's clock`)
  ensure(remembered === committed, `the inbox remembers ${remembered} of ${committed}`)
}

async function isRead({ place, pool }: World): Promise<boolean> {
  return (await pool.query(`select from "${place.broker}".reader where kind = 'service'`)).rows.length > 0
}
