import type { Definition } from '../definition.ts'
import { ConfigError } from '../errors.ts'
import type { Context } from '../handler.ts'
import type { Settlement } from '../transport.ts'

/** What a middleware sees of a delivery. */
export interface IncomingDelivery extends Context {
  /** The definition that the message was matched to. */
  readonly definition: Definition
  /** The data as the handler will get it: read and checked. Nothing for a bridge, which takes the bytes as they are. */
  readonly data: unknown
}

/**
 * One function around the handler, called for each try. `next` runs what is within, at most once, and gives its
 * settlement, or rejects with what the handler threw; what the middleware throws counts like a failure of the handler.
 * A responder's settlement is `ack` once the reply is ready; it is sent after the outermost middleware has returned.
 * @example
 * const timed: Middleware = async (delivery, next) => {
 *   const startedMs = performance.now()
 *   try {
 *     return await next()
 *   } finally {
 *     histogram.record(performance.now() - startedMs, { type: delivery.message.type })
 *   }
 * }
 */
export type Middleware = (delivery: IncomingDelivery, next: () => Promise<Settlement>) => Promise<Settlement>

/** @throws {ConfigError} for anything but a list of functions */
export function checkMiddleware(given: readonly Middleware[] | undefined = []): readonly Middleware[] {
  if (Array.isArray(given) && given.every((each) => typeof each === 'function')) return Object.freeze([...given])
  throw new ConfigError('middleware is not a list of functions: give [(delivery, next) => next(), …]')
}
