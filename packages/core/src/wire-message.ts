/** Limits of one call. An abort rejects with the signal's own reason. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs?: number | undefined
}

/** Header bag with a null prototype; case is kept, the last of repeated names wins. */
export type WireHeaders = Readonly<Record<string, string | Uint8Array>>

/** Where a message is published to. */
export interface Destination {
  /** `service` is the intake of one service alone (retry, replay). */
  readonly kind: 'topic' | 'queue' | 'service' | 'reply'
  readonly name: string
  /** Routes within the destination: an AMQP routing key, the tail of a NATS subject. */
  readonly subject?: string | undefined
  /** Which carrier of `route({ … })`. */
  readonly transport?: string | undefined
}

/** One message as every carrier sees it: attributes and bytes, nothing of the user's types. */
export interface WireMessage {
  readonly id: string
  /** `''` when a foreign producer gave none. */
  readonly type: string
  readonly destination: Destination
  readonly contentType: string
  /** `null` is a tombstone, which is not the same as empty. */
  readonly body: Uint8Array | null
  /** The other CloudEvents attributes: source, time, sequence, dedupekey … */
  readonly attributes: Readonly<Record<string, string>>
  /** The user's headers, and `traceparent`. */
  readonly headers: WireHeaders
  readonly orderingKey?: string | undefined
  readonly correlationId?: string | undefined
  readonly replyTo?: string | undefined
  readonly expiresAtMs?: number | undefined
  readonly deliverAtMs?: number | undefined
  readonly priority?: number | undefined
  /** `false`: at most once, fulfilled when written instead of when confirmed. */
  readonly confirm?: false | undefined
  /** On a topic: nobody bound rejects with scope `destination`. */
  readonly mustRoute?: true | undefined
}
