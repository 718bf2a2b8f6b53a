import type { IntakeContext } from '../intake-context.ts'
import type { Step } from './step.ts'

/** Tells of each delivery, and lets its handler run within its trace; the outermost step, so that it sees the outcome. */
export function observe({ bus: { observer }, options: { service, transport } }: IntakeContext): Step {
  return (work, next) => {
    if (!observer.watchesDeliveries) return next(work)
    const { message, attempt } = work
    const facts = { message, definition: work.route?.definition, service, transport, attempt }
    const end = (settlement: Awaited<ReturnType<Step>>) => ({
      // where it was parked or dropped, the carrier gets an ack
      outcome: work.fate ?? settlement.outcome,
      failures: work.failures,
      error: work.lastError,
    })
    return observer.process({ facts, end }, async () => await next(work))
  }
}
