import type { Definition } from './definition.ts'
import type { WireMessage } from './wire-message.ts'

/** How handling a delivery ended; `expired` and a `deadLetter` that was parked are an ack to the carrier. */
export type ProcessOutcome = 'ack' | 'release' | 'requeue' | 'deadLetter' | 'expired'

/** Counted beside what comes with each operation. */
export type TelemetryCount = 'lateReplies' | 'inboxDuplicates' | 'outboxDeadLetters'

/** What is asked for when somebody reads it. Ages are in seconds. */
export type TelemetryGauge = 'outboxPending' | 'outboxOldestPendingAge'

/** Which part a number is about: names that are few and come from code, never from messages. */
export interface TelemetryFacts {
  readonly service?: string | undefined
  readonly transport?: string | undefined
}

/** One message about to be handed over (`send`), or written to an outbox (`create`). */
export interface SendFacts {
  readonly operation: 'send' | 'create'
  readonly message: WireMessage
  /** The name of its carrier; nothing where an outbox does not know it yet. */
  readonly transport: string | undefined
}

/** One delivery about to be handled. */
export interface ProcessFacts {
  readonly message: WireMessage
  /** What it was matched to; nothing for a type that nobody here knows. */
  readonly definition: Pick<Definition, 'wireType' | 'destination'> | undefined
  readonly transport: string
  /** Nothing for a reply. */
  readonly service: string | undefined
  /** Which try comes first here. */
  readonly attempt: number
}

/** Messages about to be handled in one call; each has its `process` as well. */
export interface BatchFacts {
  readonly messages: readonly WireMessage[]
  readonly definition: Pick<Definition, 'wireType' | 'destination'>
  readonly service: string
  readonly transport: string
}

export interface ProcessEnd {
  readonly outcome: ProcessOutcome
  /** Tries here that failed. */
  readonly failures: number
  /** What the last of them failed with. */
  readonly error?: unknown
}

/** Something that goes on. */
export interface TelemetryOperation<End> {
  /** Runs `work` so that what it starts counts as part of this. */
  run<T>(work: () => T): T
  end(end: End): void
}

/** The failure, where there was one: `undefined` can be thrown too. */
export type Failure = { readonly error: unknown } | undefined

/** Hears of each message from bus, outbox and inbox. Must not throw. `@waybill/core/opentelemetry` makes one. */
export interface Telemetry {
  /** `message` is to be sent in place of the given one: it carries the context of its trace. */
  send(facts: SendFacts): TelemetryOperation<Failure> & { readonly message: WireMessage }
  process(facts: ProcessFacts): TelemetryOperation<ProcessEnd>
  /** One call of a batch handler. @default the call belongs to the message that came to it last */
  batch?(facts: BatchFacts): TelemetryOperation<Failure>
  /** A request, from the call to its answer. */
  request(definition: Pick<Definition, 'wireType' | 'destination'>, transport: string): TelemetryOperation<Failure>
  count(name: TelemetryCount, facts: TelemetryFacts): void
  /** The returned function ends it. What `read` rejects with is left out. */
  observe(name: TelemetryGauge, facts: TelemetryFacts, read: () => Promise<number | undefined>): () => void
}
