import type { Logger } from '../logger.ts'
import { steadyMs, type Clock } from '../ports.ts'
import type { Step } from './step.ts'

/** One line at level debug for each delivery: how it ended, and how long that took with all of its tries. */
export function logging(service: string, logger: Logger, clock: Clock): Step {
  return async (work, next) => {
    const sinceMs = steadyMs(clock)
    let outcome = 'failed'
    try {
      const settlement = await next(work)
      outcome = settlement.outcome
      return settlement
    } finally {
      const { id, type } = work.message
      const durationMs = Math.round(steadyMs(clock) - sinceMs)
      logger.debug({ service, id, type, failures: work.failures, outcome, durationMs }, 'delivery ended')
    }
  }
}
