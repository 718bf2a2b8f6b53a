import type { CommandDefinition, DataOut, Definition, EventDefinition, RequestDefinition } from './definition.ts'
import type { Logger } from './logger.ts'
import type { MessageInfo } from './message.ts'
import type { InferInput, Schema } from './schema.ts'
import type { Settlement } from './transport.ts'
import type { WireMessage } from './wire-message.ts'

/** What a handler gets beside the data. Its fields may be getters: hand it on as it is, a spread copy loses them. */
export interface Context {
  readonly message: MessageInfo
  readonly service: string
  /** 1 for the first try of this message, counted over in-process retries and rounds; a lower bound. */
  readonly attempt: number
  /**
   * Aborts when the message is no longer ours or the handler's time is up; of a request also when its requester stops
   * waiting, with an `ExpiredError`.
   */
  readonly signal: AbortSignal
  readonly logger: Logger
}

/** Returns nothing (ack) or a settlement; throws on failure, and the retry policy decides. */
export type Handler<D extends Definition = Definition> = (
  data: DataOut<D>,
  context: Context,
) => void | Settlement | Promise<void | Settlement>

/**
 * Handles several messages of one definition in one call; those of one ordering key are in order. Returns nothing (ack for
 * all), one settlement for all, or a list with one for each message. If it throws, each message is handled alone.
 */
export type BatchHandler<D extends Definition = Definition> = (
  datas: readonly DataOut<D>[],
  contexts: readonly Context[],
) => BatchResult | Promise<BatchResult>

export type BatchResult = void | Settlement | readonly (Settlement | undefined)[]

/** Returns the reply; what it throws becomes the requester's `RemoteError`. */
export type Responder<Q extends RequestDefinition = RequestDefinition> = (
  data: DataOut<Q>,
  context: Context,
) => Reply<Q> | Promise<Reply<Q>>

/** What a responder gives back: the input side of the reply's schema. */
export type Reply<Q extends RequestDefinition> = Q extends RequestDefinition<Schema, infer R> ? InferInput<R> : never

/** Handles a message as it travelled, without notes of earlier failures. */
export type Forwarder = (message: WireMessage, context: Context) => Promise<void | Settlement>

/** One entry of `bus.subscribe`. */
export type Route =
  | { readonly kind: 'handle'; readonly definition: Definition; readonly handler: Handler<never> }
  | {
      readonly kind: 'batch'
      readonly definition: Definition
      readonly handler: BatchHandler<never>
      readonly size: number
      readonly waitMs: number
    }
  | { readonly kind: 'respond'; readonly definition: RequestDefinition; readonly responder: Responder<never> }
  | {
      /** Of a bridge: the bytes may go on untouched. */
      readonly kind: 'forward'
      readonly definition: Definition
      readonly forward: Forwarder
      /** Whether a message of a type that no route names goes this way. @default none */
      readonly takes?: ((message: WireMessage) => boolean) | undefined
    }

/** Handles each message of an event or command. */
export function on<D extends EventDefinition | CommandDefinition>(definition: D, handler: Handler<D>): Route {
  return Object.freeze({ kind: 'handle', definition, handler: handler as Handler<never> })
}

/** Answers each message of a request. */
export function respond<Q extends RequestDefinition>(definition: Q, responder: Responder<Q>): Route {
  return Object.freeze({ kind: 'respond', definition, responder: responder as Responder<never> })
}
