import { readFileSync } from 'node:fs'
import type { Pool } from 'pg'

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

function ticksOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return Number(fields[11]) + Number(fields[12])
}
