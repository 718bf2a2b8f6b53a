import { OverloadError } from './errors.ts'
import type { IntakeContext } from './intake-context.ts'
import type { Lanes } from './lanes.ts'
import { sendReply } from './middleware/send-reply.ts'
import { errorReply } from './reply.ts'
import { reasonOf } from './retry.ts'
import type { Work } from './work.ts'

/** How much a new measurement moves the mean. */
const WEIGHT = 1 / 8

/** Sheds requests that can't be served in time: whoever asked learns it at once and may ask another, or again later. */
export class Overload {
  readonly #context: IntakeContext
  readonly #lanes: Lanes<Work>
  #meanMs: number | undefined

  constructor(context: IntakeContext, lanes: Lanes<Work>) {
    this.#context = context
    this.#lanes = lanes
  }

  /** How long a responder took: what the waits of others are judged by. */
  took(durationMs: number): void {
    this.#meanMs = this.#meanMs === undefined ? durationMs : this.#meanMs + (durationMs - this.#meanMs) * WEIGHT
  }

  /** Why a request that has just come is not taken, or nothing. */
  judge({ route, message }: Work): string | undefined {
    const { waiting, running, concurrency } = this.#lanes
    // with a handler free it is tried in any case, so that a mean of slow days does not stay for ever
    if (route?.kind !== 'respond' || message.replyTo === undefined || running < concurrency) return undefined
    const { maxWaiting, service } = this.#context.options
    if (waiting >= maxWaiting) return `${waiting} messages wait for a handler of "${service}", its maxWaiting`
    if (message.expiresAtMs === undefined || this.#meanMs === undefined) return undefined
    const leftMs = message.expiresAtMs - this.#context.bus.ports.clock.nowMs()
    // those that run and wait, then its own
    const neededMs = this.#meanMs * ((waiting + 1) / concurrency + 1)
    if (leftMs <= 0 || neededMs <= leftMs) return undefined
    return `"${service}" needs about ${Math.ceil(neededMs)} ms for what waits, and the request has ${leftMs} ms left`
  }

  /** Answers with an error that may be tried again; false when the answer did not get out. */
  async shed({ route, message }: Work, reason: string): Promise<boolean> {
    const { bus, options } = this.#context
    if (route?.kind !== 'respond') return false
    const { id, type } = message
    const error = new OverloadError(`request "${type}" not taken: ${reason}; ask again later`)
    try {
      await sendReply(
        errorReply(route.definition, message, error, { ...bus, answersAs: options.answersAs }),
        bus.outgoing,
      )
      bus.counters.shedRequests++
      bus.logger.warn({ service: options.service, id, type, reason }, 'request shed')
      return true
    } catch (failed) {
      bus.logger.warn({ service: options.service, id, type, reason: reasonOf(failed) }, 'request not shed')
      return false
    }
  }
}
