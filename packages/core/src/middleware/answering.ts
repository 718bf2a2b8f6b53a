import type { RequestDefinition } from '../definition.ts'
import { ExpiredError, UnrecoverableError } from '../errors.ts'
import type { IntakeContext } from '../intake-context.ts'
import type { Overload } from '../overload.ts'
import { steadyMs, type Ports } from '../ports.ts'
import { errorReply } from '../reply.ts'
import { reasonOf } from '../retry.ts'
import type { WireMessage } from '../wire-message.ts'
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
    let nobodyWaits = false
    // a timer for those alone who look at their signal
    work.onWatched = () => {
      callOff = atDeadline(message, ports, () => {
        nobodyWaits = true
        work.abort(new ExpiredError(`nobody waits for the answer to "${message.type}" any more`))
      })
    }
    const sinceMs = steadyMs(ports.clock)
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
    overload.took(steadyMs(ports.clock) - sinceMs)
    if (nobodyWaits) {
      work.fate = 'expired'
      bus.counters.expired++
    } else await sendReply(work.reply, bus.outgoing)
    return { outcome: 'ack' }
  }
}

/** Runs `action` when the requester stops waiting; the returned function calls it off. */
function atDeadline({ expiresAtMs }: WireMessage, { clock, timers }: Ports, action: () => void) {
  if (expiresAtMs === undefined || expiresAtMs === Infinity) return undefined
  return timers.schedule(action, Math.max(0, expiresAtMs - clock.nowMs()))
}
