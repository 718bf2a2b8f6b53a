import type { Context } from '../handler.ts'
import type { IntakeContext } from '../intake-context.ts'
import type { Logger } from '../logger.ts'
import { messageInfo, type MessageInfo } from '../message.ts'
import type { Work } from '../work.ts'

/** What users see of a delivery beside its data. */
export function contextOf(work: Work, context: IntakeContext): Context {
  return new WorkContext(work, context)
}

/**
 * A class for the sake of speed: a getter in an object literal gives each object a hidden class of its own, which the
 * garbage collector keeps, with the message in it, past minor collections.
 */
class WorkContext implements Context {
  readonly attempt: number
  // plain and not #private: whoever adds something makes an object that inherits from this one
  protected readonly work: Work
  protected readonly context: IntakeContext
  protected readonly tried: number

  constructor(work: Work, context: IntakeContext) {
    this.attempt = work.attempt
    this.work = work
    this.context = context
    this.tried = work.currentTry
  }

  get message(): MessageInfo {
    return (this.work.info ??= messageInfo(this.work.route!.definition, this.work.message))
  }

  get service(): string {
    return this.context.options.service
  }

  get signal(): AbortSignal {
    return this.work.signalOf(this.tried)
  }

  get logger(): Logger {
    return this.context.bus.logger
  }
}
