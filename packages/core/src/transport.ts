import type { Capabilities } from './capabilities.ts'
import type { Parked } from './parked.ts'
import type { CallOptions, Destination, WireHeaders, WireMessage } from './wire-message.ts'

/** All that core and an adapter say to each other: bytes, attributes, outcomes. The rules: docs/reference/transport.md */
export interface Publisher {
  readonly capabilities?: Capabilities | undefined
  /** One promise per message, in order, at once; fulfilled = the broker has it. (R1 to R6) */
  publish(messages: readonly WireMessage[], options?: CallOptions): readonly Promise<void>[]
}

export type Settlement =
  | { readonly outcome: 'ack' }
  /** Not tried, nobody's fault. */
  | { readonly outcome: 'release' }
  /** Failed: again, later, counted. */
  | { readonly outcome: 'requeue'; readonly delayMs: number; readonly notes: WireHeaders }
  /** Given up on; the notes hold reason, attempts and history. */
  | { readonly outcome: 'deadLetter'; readonly notes: WireHeaders }

export interface Delivery {
  readonly message: WireMessage
  /** 1 …, a lower bound; how good it is says `capabilities.attempts`. */
  readonly attempt: number
  /** Times it was open in a process that ended without settling or giving it back; only where the carrier tells these from give-backs. (R17) */
  readonly crashes?: number | undefined
  /** Its place in the source, the same each time ("rentals/3/1042"). */
  readonly position?: string | undefined
  /** Soft: being taken back. Don't start it, end back-off, finish what runs. */
  readonly recalled: AbortSignal
  /** Hard: not ours any more; what is returned is ignored. */
  readonly signal: AbortSignal
}

/** What a service reads from. `subjects` are exact or patterns with `*` (one word) and `#` (any words). */
export interface Source {
  readonly kind: Destination['kind']
  readonly name: string
  readonly subjects?: readonly string[] | undefined
}

export interface SubscribeOptions {
  readonly service: string
  /** The whole of what the service reads. (R8) */
  readonly sources: readonly Source[]
  /** `ordered`: one key, one instance at a time. */
  readonly mode: 'compete' | 'ordered' | 'broadcast'
  /** At most once: settled for good before `deliver`. */
  readonly ackBefore: boolean
  /** Bounds of what is delivered and not settled; how many handlers run is the core's. */
  readonly maxOpen: number
  readonly maxOpenBytes: number
  /** Only used without a saved position. */
  readonly start: 'earliest' | 'latest' | { readonly timeMs: number } | { readonly position: string }
}

export interface Subscription extends AsyncDisposable {
  /** What these sources really give, known once connected. */
  readonly capabilities: Capabilities
  /** Never rejects; an error = given up, health says why. */
  readonly ended: Promise<Error | undefined>
  stop(options?: { readonly drainTimeoutMs?: number | undefined }): Promise<void>
  pause?(): void
  resume?(): void
}

export interface Topology {
  readonly destinations: readonly Destination[]
  readonly subscriptions: readonly Pick<SubscribeOptions, 'service' | 'sources' | 'mode'>[]
}

export interface PartHealth {
  readonly part: string
  readonly state: 'up' | 'degraded' | 'down'
  readonly sinceMs: number
  readonly reason?: string | undefined
  readonly lag?: number | undefined
}

export interface Transport extends Publisher, AsyncDisposable {
  readonly name: string
  readonly capabilities: Capabilities
  /** Push; the promise `deliver` returns is the settlement; it never rejects. (R7 to R19) */
  subscribe(options: SubscribeOptions, deliver: (delivery: Delivery) => Promise<Settlement>): Promise<Subscription>
  /** Probes; never rejects. */
  health(options?: CallOptions): Promise<readonly PartHealth[]>
  /** Before first use; again by itself on reconnect. */
  declare?(topology: Topology, options?: CallOptions): Promise<void>
  openReplies?(onReply: (reply: WireMessage) => void, onLost: (reason: Error) => void): Promise<ReplyAddress>
  /** The broker's dead letters; outbox-pg has the same face. */
  readonly parked?: Parked | undefined
}

export interface ReplyAddress extends AsyncDisposable {
  /** Changes only with `onLost`. */
  readonly address: string
}
