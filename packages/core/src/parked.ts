import type { CallOptions, WireMessage } from './wire-message.ts'

/** A message given up on, kept whole with its reason. */
export interface ParkedMessage {
  readonly handle: string
  readonly service: string
  readonly reason: string
  readonly attempts: number
  readonly parkedAtMs: number
  readonly message: WireMessage
}

/** One face over broker dead letters, outbox rows and the PostgreSQL store. */
export interface Parked {
  /** Peeks; counts nothing and moves nothing. */
  list(
    filter?: {
      readonly service?: string | undefined
      readonly type?: string | undefined
      readonly orderingKey?: string | undefined
    },
    options?: CallOptions,
  ): AsyncIterable<ParkedMessage>
  /** Hands the messages, in the order given, to the service that failed, to it alone. */
  replay(handles: readonly string[], options?: CallOptions): readonly Promise<void>[]
  discard(handles: readonly string[], reason: string, options?: CallOptions): readonly Promise<void>[]
}

/** A store that transports without their own dead letters park in. */
export interface ParkedStore extends Parked {
  park(messages: readonly Omit<ParkedMessage, 'handle'>[], options?: CallOptions): readonly Promise<void>[]
}
