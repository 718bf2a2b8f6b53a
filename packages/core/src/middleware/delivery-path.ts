import type { IntakeContext } from '../intake-context.ts'
import { dropExpired } from './drop-expired.ts'
import { handle } from './handle.ts'
import { retrying, type RetryParts } from './retrying.ts'
import { compose, type Next } from './step.ts'
import { timeLimit } from './time-limit.ts'

/** The way of a delivery from the moment its turn has come, outermost step first. */
export function deliveryPath({ bus, options }: IntakeContext, parts: RetryParts): Next {
  const { service, answersAs, handlerTimeoutMs, ackBefore } = options
  const { source, logger, outgoing, ports } = bus
  return compose(
    [
      dropExpired(ports.clock, () => bus.counters.expired++),
      ...(ackBefore ? [] : [retrying(parts)]),
      timeLimit(handlerTimeoutMs, ports.timers),
    ],
    handle({ service, answersAs, source, logger, outgoing, ports }),
  )
}
