import type { BusLimits, BusOptions } from './bus.ts'
import { ConfigError } from './errors.ts'
import { guardedLogger, type Logger } from './logger.ts'
import { checkMiddleware, type Middleware } from './middleware/middleware.ts'
import type { ParkedStore } from './parked.ts'
import { systemPorts, type Ports } from './ports.ts'
import { retryPolicy, type RetryPolicy } from './retry.ts'
import type { Telemetry } from './telemetry.ts'
import type { Transport } from './transport.ts'

export const BUS_LIMITS = Object.freeze({ maxPendingRequests: 10_000, maxAnswers: 1_000, maxPendingPublishes: 10_000 })

/** The options of a bus, checked and complete. */
export interface BusSettings {
  readonly transport: Transport
  readonly source: string
  readonly parked: ParkedStore | undefined
  readonly retry: RetryPolicy
  readonly middleware: readonly Middleware[]
  readonly logger: Logger
  readonly telemetry: Telemetry | undefined
  readonly limits: { readonly [Name in keyof BusLimits]-?: number }
  readonly ports: Ports
}

/** @throws {ConfigError} for a missing transport or source, or a limit out of bounds */
export function resolveBusOptions(options: BusOptions): BusSettings {
  const { transport, source } = options
  if (typeof transport?.publish !== 'function' || typeof transport.subscribe !== 'function') {
    throw new ConfigError('transport is missing: give one such as memory() or amqp({ url })')
  }
  if (typeof source !== 'string' || source === '' || /\s/.test(source)) {
    throw new ConfigError(`source is ${JSON.stringify(source)}: give a URI reference such as "/billing"`)
  }
  const limits = {
    maxPendingRequests: options.limits?.maxPendingRequests ?? BUS_LIMITS.maxPendingRequests,
    maxAnswers: options.limits?.maxAnswers ?? BUS_LIMITS.maxAnswers,
    maxPendingPublishes: options.limits?.maxPendingPublishes ?? BUS_LIMITS.maxPendingPublishes,
  }
  for (const [field, value] of Object.entries(limits)) {
    if (!(value >= 1)) throw new ConfigError(`limits.${field} is ${value}: give a number from 1`)
  }
  return Object.freeze({
    transport,
    source,
    parked: options.parked,
    retry: options.retry ?? retryPolicy(),
    middleware: checkMiddleware(options.middleware),
    logger: guardedLogger(options.logger),
    telemetry: options.telemetry,
    limits,
    ports: { ...systemPorts, ...options.ports },
  })
}
