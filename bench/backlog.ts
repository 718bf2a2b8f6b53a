// A backlog that was written while nothing ran: a steady rate to its end, and a process that does not grow.
import type { Publisher } from '@waybill/core'
import { startRelay } from '@waybill/outbox-pg'
import { benchDatabase } from './bench-database.ts'
import { Countdown, eventTo, fill, outboxOf } from './outbox-log.ts'
import { middle, shown } from './pairs.ts'
import type { BenchRow } from './row.ts'

const SLICES = 10
const MOST_GROWTH_MIB = 200
/** The last tenths beside the first ones. */
const STEADY = 0.9
const ENDS = 3

export async function backlog(rows: number): Promise<BenchRow[]> {
  await using database = await benchDatabase(8)
  const { pool, schema } = database
  const outbox = outboxOf(database, 'nowhere')
  await fill(outbox, eventTo({ kind: 'queue', name: 'bench' }), rows)
  const slice = Math.floor(rows / SLICES)
  const countdown = new Countdown(rows)
  const perSecond: number[] = []
  let seen = 0
  let sinceMs = performance.now()
  let mostMiB = 0
  const mib = () => process.memoryUsage().rss / 1_048_576
  const nowhere: Publisher = {
    capabilities: {},
    publish: (messages) =>
      messages.map(() => {
        if (++seen % slice === 0) {
          const nowMs = performance.now()
          perSecond.push((1_000 * slice) / (nowMs - sinceMs))
          sinceMs = nowMs
          mostMiB = Math.max(mostMiB, mib())
        }
        countdown.count()
        return Promise.resolve()
      }),
  }
  globalThis.gc?.()
  const before = mib()
  const relay = startRelay({ outbox, pool, schema, transports: { nowhere } })
  await countdown.done
  await relay.stop()
  const growth = mostMiB - before
  const steadiness = middle(perSecond.slice(-ENDS)) / middle(perSecond.slice(0, ENDS))
  return [
    {
      what: `a backlog of ${rows} rows of 1 KiB`,
      measured: `${shown(perSecond)} rows/s by tenths, RSS grew by ${growth.toFixed(0)} MiB`,
      limit: `goal: below ${MOST_GROWTH_MIB} MiB, the last tenths at ${STEADY} of the first ones: ${steadiness.toFixed(2)}; all: ${perSecond.map((rate) => (rate / 1_000).toFixed(1)).join(', ')} k/s`,
      share: Math.min(MOST_GROWTH_MIB / Math.max(1, growth), steadiness / STEADY),
    },
  ]
}
