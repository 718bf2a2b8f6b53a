import { setTimeout as pause } from 'node:timers/promises'
import { createOutbox } from '@waybill/outbox-pg'
import { LISTEN_POLL_MS } from './carrier.ts'
import { consume, placedIn, relay } from './parts.ts'
import { PostgresLine, type LineConnection } from './postgres-line.ts'
import { ensure, verdictOf, type Scenario } from './scenario.ts'
import { openWorld, type World } from './world.ts'

const LISTEN = Buffer.from('LISTEN ')
/** Of relay and, where PostgreSQL carries, of the service. */
const LISTENERS = { postgres: 2, amqp: 1, kafka: 1 }
/** After so long without messages readers look no more often than at their longest interval. */
const QUIET_MS = 2.5 * LISTEN_POLL_MS
const HEARD_WITHIN_MS = LISTEN_POLL_MS / 3
/** Two readers on the way, and something for the machine. */
const POLLED_WITHIN_MS = 3 * LISTEN_POLL_MS
/** A heartbeat and the wait for its answer are 15 s. */
const FOUND_WITHIN_MS = 18_000
const STOPPED_WITHIN_MS = 12_000

/** Connections that LISTEN go silent, and they alone. */
export const silentListener: Scenario = {
  row: 17,
  what: 'LISTEN connections go silent, they alone: polling catches up, a heartbeat finds it, stop does not wait for it',
  async run({ seed: _, ...at }) {
    await using world = await openWorld(at, { operations: 0, window: 20 })
    const listening: LineConnection[] = []
    await using line = await PostgresLine.open(at.url, (connection, bytes) => {
      if (bytes.includes(LISTEN)) listening.push(connection)
    })
    const place = { ...world.place, listen: line.url }
    const all = LISTENERS[at.carrier.name]
    await using parts = new AsyncDisposableStack()
    parts.use(await consume(place, () => {}))
    parts.use(relay(place, () => {}))
    const within = async (ms: number, done: () => boolean, text: string) => {
      const startedMs = performance.now()
      while (!done() && performance.now() - startedMs < ms) await pause(20)
      ensure(done(), text)
      return Math.round(performance.now() - startedMs)
    }
    await within(5_000, () => listening.length === all, 'not all listen')
    const heard = [await medianOf(3, world)]
    for (const connection of listening) connection.silence()
    let found = 0
    const finding = within(FOUND_WITHIN_MS, () => listening.length === 2 * all, 'the silence was not found').finally(
      () => (found = 1),
    )
    let polled = 0
    while (found === 0) polled = Math.max(polled, await latencyOf(world))
    const foundMs = await finding
    heard.push(await medianOf(3, world))
    ensure(Math.max(...heard) <= HEARD_WITHIN_MS, `notifications do not wake: ${heard.join(', ')} ms`)
    ensure(polled <= POLLED_WITHIN_MS, `${polled} ms without notifications`)
    const verdict = await verdictOf(world)
    for (const connection of listening) connection.silence()
    const stopping = performance.now()
    await Promise.race([parts.disposeAsync(), pause(STOPPED_WITHIN_MS, undefined, { ref: false })])
    const stoppedMs = Math.round(performance.now() - stopping)
    ensure(stoppedMs < STOPPED_WITHIN_MS, 'stop waits for a silent connection')
    return {
      verdict,
      note: `woken in ${heard.join(' and ')} ms, polled in ${polled} ms, found in ${foundMs} ms, stopped in ${stoppedMs} ms`,
    }
  },
}

async function medianOf(count: number, world: World): Promise<number> {
  const latencies: number[] = []
  while (latencies.length < count) latencies.push(await latencyOf(world))
  return latencies.toSorted((left, right) => left - right)[Math.floor(count / 2)]!
}

/** From the commit of one operation to its effect, after a quiet time. */
async function latencyOf({ place, pool }: World): Promise<number> {
  const { log, broker } = place
  await pause(QUIET_MS)
  const outbox = createOutbox({ db: pool, source: '/orders', schema: log, transport: 'carrier', wake: pool })
  const order = { op: crypto.randomUUID(), key: 1, number: 0 }
  await outbox.transaction(async (trx, messages) => {
    const next = `update "${log}".counter set number = number + 1 where key = $1 returning number`
    order.number = (await trx.query(next, [order.key])).rows[0].number as number
    await trx.query(`insert into "${log}".orders values ($1, $2, $3)`, [order.op, order.key, order.number])
    messages.publish(placedIn(place), order)
  })
  const committedMs = performance.now()
  const handled = async () =>
    (await pool.query(`select from "${broker}".effects where op = $1`, [order.op])).rowCount! > 0
  while (!(await handled())) {
    ensure(performance.now() - committedMs < 30_000, 'no effect within 30 s')
    await pause(5)
  }
  return Math.round(performance.now() - committedMs)
}
