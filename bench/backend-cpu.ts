import { readFileSync } from 'node:fs'
import type { Pool } from 'pg'
import type { BenchDatabase } from './bench-database.ts'
import { shown, timed, type Run } from './pairs.ts'

/**
 * CPU that a pool's connections have used at the server so far, in µs; `undefined` unless it runs on this machine and
 * under Linux. The pool must keep its connections.
 */
export async function backendCpuMicros(pool: Pool, applicationName: string): Promise<number | undefined> {
  const { rows } = await pool.query(`SELECT pid FROM pg_stat_activity WHERE application_name = $1`, [applicationName])
  try {
    return rows.reduce((sum: number, { pid }: { pid: number }) => sum + ticksOf(pid) * 10_000, 0)
  } catch {
    return undefined
  }
}

/** `timed`, together with what the database's own connections cost the server. */
export async function timedAtServer(
  { pool, schema }: BenchDatabase,
  work: Parameters<typeof timed>[0],
  durationMs: number,
): Promise<Run> {
  const before = await backendCpuMicros(pool, schema)
  let done = 0
  const run = await timed(async (go) => (done = await work(go)), durationMs)
  const after = await backendCpuMicros(pool, schema)
  const known = before !== undefined && after !== undefined
  return { ...run, serverMicros: known ? (after - before) / Math.max(1, done) : undefined }
}

/** CPU for one unit, here and at the server. */
export function cpuText(runs: readonly Run[], digits = 0): string {
  const node = runs.map(({ cpuMicros }) => cpuMicros)
  const server = runs.flatMap(({ serverMicros }) => serverMicros ?? [])
  return `node ${shown(node, digits)}, PG ${server.length === 0 ? 'unknown' : shown(server, digits)} µs`
}

function ticksOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return Number(fields[11]) + Number(fields[12])
}
