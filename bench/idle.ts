// What a relay costs while nothing comes: the processor time of this process and of PostgreSQL, over some seconds.
import { setTimeout as wait } from 'node:timers/promises'
import type { Publisher } from '@waybill/core'
import { startRelay } from '@waybill/outbox-pg'
import { backendCpuMicros } from './backend-cpu.ts'
import { benchDatabase } from './bench-database.ts'
import { outboxOf } from './outbox-log.ts'
import { middle, shown } from './pairs.ts'
import type { BenchRow } from './row.ts'

/** Longer than a relay takes to come to rest. */
const REST_MS = 3_000
const MOST_SHARE = 0.01

export async function idle(pairs: number, durationMs: number): Promise<BenchRow[]> {
  await using database = await benchDatabase(6)
  const { pool, schema } = database
  const outbox = outboxOf(database, 'nowhere')
  const nowhere: Publisher = { capabilities: {}, publish: (messages) => messages.map(() => Promise.resolve()) }
  const share = async (): Promise<{ readonly node: number; readonly server: number | undefined }> => {
    const server = await backendCpuMicros(pool, schema)
    const cpu = process.cpuUsage()
    await wait(durationMs)
    const { user, system } = process.cpuUsage(cpu)
    const after = await backendCpuMicros(pool, schema)
    const used = server === undefined || after === undefined ? undefined : (after - server) / (1_000 * durationMs)
    return { node: (user + system) / (1_000 * durationMs), server: used }
  }
  const without: number[] = []
  const node: number[] = []
  const server: number[] = []
  for (let pair = 0; pair < pairs; pair++) {
    without.push((await share()).node)
    const relay = startRelay({ outbox, pool, schema, transports: { nowhere } })
    await wait(REST_MS)
    const used = await share()
    await relay.stop()
    node.push(used.node)
    if (used.server !== undefined) server.push(used.server)
  }
  const percent = (values: readonly number[]) =>
    shown(
      values.map((value) => 100 * value),
      2,
      ' %',
    )
  const own = node.map((value, pair) => value - without[pair]!)
  return [
    {
      what: `an idle relay, ${durationMs / 1_000} s`,
      measured: `node ${percent(own)} of a core, PG ${server.length === 0 ? 'unknown' : percent(server)}`,
      limit: `without it: node ${percent(without)}`,
      share: MOST_SHARE / Math.max(MOST_SHARE / 100, middle(own)),
    },
  ]
}
