import { sleep, type PartHealth } from '@waybill/core'
import type { Session } from './connection.ts'
import type { ResolvedOptions } from './options.ts'
import type { AmqpSubscription } from './subscriber.ts'
import { depthOf } from './throw-away.ts'

/** How much waits for a service in its queues; without `lag` where that can't be told in time. */
export async function queueHealth(
  subscription: AmqpSubscription,
  session: Session,
  sinceMs: number,
  timeoutMs: number,
  { timers }: ResolvedOptions['ports'],
): Promise<PartHealth> {
  const { service, problem, queues } = subscription
  const part: PartHealth = {
    part: `queue ${service}`,
    state: problem === undefined ? 'up' : 'degraded',
    sinceMs,
    ...(problem !== undefined && { reason: problem }),
  }
  const late = new AbortController()
  const lateness = sleep(timers, timeoutMs, late.signal).catch(() => {})
  try {
    const depths = Promise.all(queues.map((queue) => depthOf(session, queue)))
    depths.catch(() => {}) // it may fail after the time is over
    const known = await Promise.race([depths, lateness])
    if (!Array.isArray(known)) return part
    return { ...part, lag: known.reduce((sum, depth) => sum + (depth?.messageCount ?? 0), 0) }
  } catch {
    return part // the connection ended meanwhile, which its own part tells
  } finally {
    late.abort()
  }
}
