import type { PartHealth } from '@waybill/core'
import type { PgPool } from '../database.ts'
import { logStatus, type LogStatus } from './log-status.ts'

/** What the database itself says, for the health of those who read from it. */
export interface LogHealth {
  readonly database: PartHealth
  /** Parts of readers with what blocks them, and how far they are behind. */
  withReasons(parts: readonly PartHealth[]): readonly PartHealth[]
}

/** The same reasons as `status` gives, for these readers. Never rejects. */
export async function logHealth(options: {
  readonly pool: PgPool
  readonly schema: string
  readonly readers: readonly string[]
  /** What else is not well with the database. */
  readonly reason: string | undefined
  readonly timeoutMs?: number | undefined
}): Promise<LogHealth> {
  const { pool, schema, readers, timeoutMs } = options
  const sinceMs = Date.now()
  let status: LogStatus
  try {
    status = await logStatus({ pool, schema, readers, timeoutMs })
  } catch (error) {
    const reason = (error as Error).message || 'not reached'
    return { database: { part: 'database', state: 'down', sinceMs, reason }, withReasons: (parts) => parts }
  }
  const blocked = status.problems.filter(({ level }) => level === 'blocked')
  const reason = options.reason ?? blocked.find((problem) => problem.reader === null)?.text
  return {
    database: {
      part: 'database',
      sinceMs,
      ...(reason === undefined ? { state: 'up' } : { state: 'degraded', reason }),
    },
    withReasons: (parts) =>
      parts.map((part) => {
        const reader = status.readers.find(({ name }) => part.part === `reader ${name}`)
        if (!reader) return part
        const problem = blocked.find(({ reader: name }) => name === reader.name)
        const lagging = { ...part, lag: reader.lag }
        return problem === undefined || part.state !== 'up' || part.reason !== undefined
          ? lagging
          : { ...lagging, state: 'degraded', reason: `${problem.text}: ${problem.advice}` }
      }),
  }
}
