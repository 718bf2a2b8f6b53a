import type { Context } from '../handler.ts'
import type { IntakeContext } from '../intake-context.ts'
import { messageInfo } from '../message.ts'
import type { Work } from '../work.ts'

/** What users see of a delivery beside its data. */
export function contextOf(work: Work, { bus, options }: IntakeContext): Context {
  return {
    message: messageInfo(work.route!.definition, work.message),
    service: options.service,
    attempt: work.attempt,
    get signal() {
      return work.signal
    },
    logger: bus.logger,
  }
}
