import type { RequestDefinition } from '../definition.ts'
import { ExpiredError, UnrecoverableError } from '../errors.ts'
import type { IntakeContext } from '../intake-context.ts'
import type { Overload } from '../overload.ts'
import type { Ports } from '../ports.ts'
import { errorReply } from '../reply.ts'
import { reasonOf } from '../retry.ts'
import type { Work } from '../work.ts'
import { sendReply } from './send-reply.ts'
import type { Step } from './step.ts'

/** The reply goes out before the request is acked; a failure is an answer too. */
export function answering({ bus, options }: IntakeContext, overload: Overload): Step {
  const { service, answersAs } = options
  const { logger, source, ports } = bus
  return async (work, next) => {
    const { message, route } = work
    if (message.replyTo === undefined) throw new UnrecoverableError(`request "${message.type}" came without replyTo`)
    work.reply = undefined
    let callOff: (() => void) | undefined
    // a timer for those alone who look at their signal
    work.onWatched = () => (callOff = endWithRequester(work, ports))
    const sinceMs = ports.clock.nowMs()
    try {
      const settlement = await next(work)
      // a middleware that settles in the handler's place speaks for itself
      if (work.reply === undefined || settlement.outcome !== 'ack') return settlement
    } catch (error) {
      work.lastError = error
      logger.warn({ service, type: message.type, id: message.id, reason: reasonOf(error) }, 'responder failed')
      work.reply = errorReply(route!.definition as RequestDefinition, message, error, { source, ports, answersAs })
    } finally {
      work.onWatched = undefined
      callOff?.()
    }
    overload.took(ports.clock.nowMs() - sinceMs)
    await sendReply(work.reply, bus.outgoing)
    return { outcome: 'ack' }
  }
}

/** Aborts the signal of a responder when its requester stops waiting; the returned function calls it off. */
function endWithRequester(work: Work, { clock, timers }: Ports): (() => void) | undefined {
  const { type, expiresAtMs } = work.message
  if (expiresAtMs === undefined || expiresAtMs === Infinity) return undefined
  const leftMs = Math.max(0, expiresAtMs - clock.nowMs())
  return timers.schedule(
    () => work.abort(new ExpiredError(`nobody waits for the answer to "${type}" any more`)),
    leftMs,
  )
}
