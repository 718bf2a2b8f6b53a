import type { Route } from '../handler.ts'
import type { IntakeContext } from '../intake-context.ts'
import { silentLogger } from '../logger.ts'
import { answering } from './answering.ts'
import { decoding } from './decoding.ts'
import { dropExpired } from './drop-expired.ts'
import { handle } from './handle.ts'
import { logging } from './logging.ts'
import { observe } from './observe.ts'
import { retrying, type RetryParts } from './retrying.ts'
import { outsideTransactions } from '../transaction-scope.ts'
import { compose, type Next } from './step.ts'
import { timeLimit } from './time-limit.ts'
import { userStep } from './user-step.ts'

/**
 * The way of a delivery from the moment its turn has come, outermost step first.
 *
 * What decides *when* it starts is no step: circuit, rate limit, concurrency and the order of its key hold it back in its
 * lane before it comes here, so that what waits takes no handler's place, no timer and no span.
 *
 * 1. Telemetry and the log see a delivery once, with all of its tries, however it ends; what it starts belongs to its trace.
 * 2. Retries go around all that follows: each try is checked, timed and handled anew. Not at most once: that is settled.
 * 3. Expired comes within, since a message may grow old between two tries.
 * 4. The time limit is one try's; what users wrap around their handler counts.
 * 5. An answer goes out for whatever comes from within: a middleware that throws refuses the request.
 * 6. A transaction that was open where the message came in is none of the handler's.
 * 7. Data is decoded before users see it, and what can't be read fails like a handler.
 * 8. The bus's middleware, then the service's, then the handler.
 */
export function deliveryPath(context: IntakeContext, parts: RetryParts): (kind: Route['kind']) => Next {
  const { bus, options } = context
  const { service, handlerTimeoutMs, ackBefore, middleware } = options
  const { logger, ports } = bus
  const last = handle(context)

  return (kind) =>
    compose(
      [
        observe(context),
        ...(logger === silentLogger ? [] : [logging(service, logger, ports.clock)]),
        ...(ackBefore ? [] : [retrying(parts)]),
        dropExpired(ports.clock, () => bus.counters.expired++),
        timeLimit(handlerTimeoutMs, ports.timers),
        ...(kind === 'respond' ? [answering(context, parts.overload)] : []),
        (work, next) => outsideTransactions(next, work),
        decoding,
        ...middleware.map((given) => userStep(given, context)),
      ],
      last,
    )
}
