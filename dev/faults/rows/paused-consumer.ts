import { setTimeout as pause } from 'node:timers/promises'
import { seededRandom } from '../seeded-random.ts'
import { ChildPart } from './child-part.ts'
import { consume, produce, relay } from './parts.ts'
import { ensure, verdictOf, type Scenario } from './scenario.ts'
import { clean, judge } from './verdict.ts'
import { openWorld, type World, type WorldAt } from './world.ts'

const OPERATIONS = 40
const SESSION_ENDS_MS = 1_500
const WITHIN_MS = 60_000

/**
 * A consumer frozen inside its transaction, while its messages go to another one. Where the server ends what is idle in
 * a transaction, the other goes on and the frozen one's commit fails; where it doesn't, the other waits, and finds the
 * effect done.
 */
export const pausedConsumer: Scenario = {
  row: 42,
  what: 'consumer frozen past its lease with its transaction open: its commit fails, or it is the only one',
  async run({ seed, ...at }) {
    const random = seededRandom(seed * 1_000 + 42)
    const ended = await freeze(at, 1 + Math.floor(random() * 20), 'ended')
    if (!clean(ended)) return { verdict: ended }
    const kept = await freeze(at, 1 + Math.floor(random() * 20), 'kept')
    return { kills: 2, verdict: kept }
  },
}

async function freeze(at: WorldAt, times: number, session: 'ended' | 'kept') {
  await using world = await openWorld(at, { operations: OPERATIONS, window: 20 })
  const { place, pool } = world
  await using _relay = relay(place, () => {})
  const timeoutMs = session === 'ended' ? SESSION_ENDS_MS : 0
  await using frozen = new ChildPart('consumer', place, {
    env: {
      POINT: 'after-effect',
      TIMES: String(times),
      SIGNAL: 'SIGSTOP',
      PGAPPNAME: place.broker,
      PGOPTIONS: `-c idle_in_transaction_session_timeout=${timeoutMs}`,
    },
  })
  if (place.carrier.name === 'postgres') await until('the service is known', () => isRead(world))
  await produce(place, () => {})
  await until('the consumer is frozen in its transaction', async () => (await openIn(world, "'300 ms'")) > 0)
  await using other = await consume(place, () => {})
  if (session === 'ended') {
    await until('the other has done all', async () => (await judge(pool, place)).lost === 0)
    ensure((await openIn(world)) === 0, 'the server kept the session of the frozen consumer')
  } else {
    await until('the other waits for the frozen one', () => isAwaited(world))
    const { lost } = await judge(pool, place)
    ensure(lost > 0, 'the other did what was still open elsewhere')
  }
  frozen.thaw()
  const verdict = await verdictOf(world)
  await until('no transaction is open', async () => (await openIn(world)) === 0)
  ensure(frozen.running, 'the woken consumer ended')
  if (session === 'kept') ensure(other.inbox.counts.handled < OPERATIONS, 'the frozen consumer did nothing')
  return verdict
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const untilMs = performance.now() + WITHIN_MS; !(await holds()); await pause(50)) {
    ensure(performance.now() < untilMs, `not within ${WITHIN_MS} ms: ${what}`)
  }
}

/** Sessions of the frozen consumer that are idle inside a transaction, for so long. */
async function openIn({ place, pool }: World, forLong = "'0'"): Promise<number> {
  const { rows } = await pool.query(
    `select count(*)::int as count from pg_stat_activity
     where application_name = $1 and state = 'idle in transaction' and state_change < now() - interval ${forLong}`,
    [place.broker],
  )
  return rows[0].count as number
}

/** Whether somebody waits for a lock that a session of the frozen consumer has. */
async function isAwaited({ place, pool }: World): Promise<boolean> {
  const { rows } = await pool.query(
    `select exists (select from pg_stat_activity waiting, unnest(pg_blocking_pids(waiting.pid)) blocking
       join pg_stat_activity holder on holder.pid = blocking
       where holder.application_name = $1 and waiting.wait_event_type = 'Lock') as awaited`,
    [place.broker],
  )
  return rows[0].awaited as boolean
}

async function isRead({ place, pool }: World): Promise<boolean> {
  return (await pool.query(`select from "${place.broker}".reader where kind = 'service'`)).rows.length > 0
}
