import { ConfigError, type CodecError, type InferInput, type InferOutput, type ValidationError } from '@waybill/core'
import type { MethodSchemas, StreamMethod, StreamService } from './service.ts'

/** The server's side of one stream. */
export interface StreamCall<Out> {
  /**
   * Sends beside what the handler yields; resolves when there is room for the next.
   * @throws {OverloadError} too many sends were not awaited
   */
  send(message: Out): Promise<void>
  /** Aborts when the stream is over: client gone, cancelled, deadline passed, stop's patience at its end, or done. */
  readonly signal: AbortSignal
  /** Aborts when the server begins to stop: `requests` ends, and what is under way may be finished. */
  readonly draining: AbortSignal
  /** Text metadata of the client; the last value of each key. */
  readonly metadata: Readonly<Record<string, string>>
  /** Address of the client. */
  readonly peer: string
}

/**
 * Serves one stream: an `async function*` whose yields are sent, or a function that calls `call.send` (several
 * answers under way at once). When it returns, the stream ends well; what it throws becomes the client's status.
 */
export type StreamHandler<In, Out> = (
  requests: AsyncIterable<In>,
  call: StreamCall<Out>,
) => AsyncIterable<Out> | Promise<void>

export interface BidiOptions<Out> {
  /**
   * A request that is not readable, or that its schema refused. `raw` is what was read, `undefined` for unreadable
   * bytes. Returns and the stream goes on; throws and the stream ends.
   * @default the stream ends with INVALID_ARGUMENT
   */
  readonly onInvalid?:
    ((error: ValidationError | CodecError, call: StreamCall<Out>, raw: unknown) => void | Promise<void>) | undefined
}

/** One method with its handler, for `serve`. */
export interface StreamRoute {
  readonly service: string
  readonly method: string
  readonly definition: StreamMethod
  readonly handler: StreamHandler<unknown, unknown>
  readonly options: BidiOptions<unknown>
}

/**
 * Ties a handler to a bidirectional method.
 * @example
 * bidi(Chat, 'Talk', async function* (lines) {
 *   for await (const { text } of lines) yield { text: text.toUpperCase() }
 * })
 * @throws {ConfigError} the service was loaded without that method
 */
export function bidi<M extends Record<string, MethodSchemas>, K extends keyof M & string>(
  service: StreamService<M>,
  method: K,
  handler: StreamHandler<InferOutput<M[K]['request']>, InferInput<M[K]['response']>>,
  options: BidiOptions<InferInput<M[K]['response']>> = {},
): StreamRoute {
  const definition = service.methods[method] as StreamMethod | undefined
  if (definition === undefined) {
    throw new ConfigError(`method "${method}" of "${service.name}" has no schemas: name it in loadService`)
  }
  return Object.freeze({
    service: service.name,
    method,
    definition,
    handler: handler as StreamHandler<unknown, unknown>,
    options: options as BidiOptions<unknown>,
  })
}
