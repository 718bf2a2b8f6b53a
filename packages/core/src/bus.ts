import type { CircuitOptions } from './circuit.ts'
import type { CommandDefinition, DataIn, Definition, EventDefinition, RequestDefinition } from './definition.ts'
import type { Expected, Gathering, GatheredReply, Missing } from './gathering.ts'
import type { Route } from './handler.ts'
import type { Logger } from './logger.ts'
import type { SendOptions } from './message.ts'
import type { Middleware } from './middleware/middleware.ts'
import type { Parked, ParkedStore } from './parked.ts'
import type { Ports } from './ports.ts'
import type { RateLimit } from './rate-limit.ts'
import type { RetryPolicy } from './retry.ts'
import type { InferOutput, Schema } from './schema.ts'
import type { Telemetry } from './telemetry.ts'
import type { PartHealth, SubscribeOptions, Transport } from './transport.ts'

export interface BusOptions {
  /** Belongs to the bus, which disposes it; `shared(transport)` keeps it open. */
  readonly transport: Transport
  /** CloudEvents `source` of all that this bus sends: a URI reference such as `/billing`. */
  readonly source: string
  /** Where given-up messages are kept; without it the broker's dead letters. */
  readonly parked?: ParkedStore | undefined
  /** @default retryPolicy() */
  readonly retry?: RetryPolicy | undefined
  /** Goes around every handler of every service, outermost first. @default none */
  readonly middleware?: readonly Middleware[] | undefined
  /** @default silent */
  readonly logger?: Logger | undefined
  /** Spans and metrics: `openTelemetry()` of `@waybill/core/opentelemetry`. @default none */
  readonly telemetry?: Telemetry | undefined
  readonly limits?: BusLimits | undefined
  readonly ports?: Partial<Ports> | undefined
}

export interface BusLimits {
  /** Requests and gatherings waiting for replies; one more is an `OverloadError`. @default 10_000 */
  readonly maxPendingRequests?: number | undefined
  /** Answers that one gathering takes; it has enough then. @default 1_000 */
  readonly maxAnswers?: number | undefined
  /** Messages handed over and not confirmed; one more is an `OverloadError`. @default 10_000 */
  readonly maxPendingPublishes?: number | undefined
}

export interface ServiceOptions {
  /** Handlers that run at once. @default 10 */
  readonly concurrency?: number | undefined
  /** Handlers that start in a second, over all of this service in this process. @default none */
  readonly rateLimit?: RateLimit | undefined
  /** When the service stops by itself, and how it probes. @default errors of a dependency alone stop it */
  readonly circuit?: CircuitOptions | undefined
  /**
   * What may wait for a handler in this process; a request beyond is answered at once with the error `OVERLOAD`, which may
   * be tried again. A request whose deadline can't be met any more is answered so in any case.
   * @default Infinity: as much as the window holds
   */
  readonly maxWaiting?: number | undefined
  /**
   * How often a message may be open in a process that dies. From then on it is opened alone, with nothing else running or
   * waiting here; when it ends its process once more it is given up on. Needs a carrier that counts it.
   * @default 3
   */
  readonly maxCrashes?: number | undefined
  /** @default 30_000 (milliseconds) */
  readonly handlerTimeoutMs?: number | undefined
  /** @default the bus's */
  readonly retry?: RetryPolicy | undefined
  /** Goes around the handlers of this service, within the bus's own, outermost first. @default none */
  readonly middleware?: readonly Middleware[] | undefined
  /** Where a service without a saved position begins. @default 'earliest', with `broadcast` 'latest' */
  readonly start?: SubscribeOptions['start'] | undefined
  /** Each instance gets a copy. @default false */
  readonly broadcast?: boolean | undefined
  /** The definition of messages that come without a type, from a foreign producer. */
  readonly assume?: Definition | undefined
}

export interface RequestCallOptions {
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  readonly headers?: SendOptions['headers']
}

export interface GatherOptions<Reply, E extends Expected = undefined> extends RequestCallOptions {
  /**
   * How many answers there will be, or the names of the services that give them: with the last of them the gathering
   * ends. An error is an answer too. @default all who answer within `timeoutMs`
   */
  readonly expect?: E | undefined
  /** Asked after each reply; `true` ends the gathering: enough is known. */
  readonly until?: ((replies: readonly GatheredReply<Reply>[]) => boolean) | undefined
}

/** What the bus has counted since it was made. */
export interface BusStats {
  /** Replies that nobody waits for: too late, duplicates, forged. */
  readonly lateReplies: number
  /** Messages that were past their time when they came, and requests whose deadline passed while they were answered. */
  readonly expired: number
  /** Deliveries of a type or version that the service does not know. */
  readonly unknownTypes: number
  /** Messages given up on. */
  readonly deadLettered: number
  /** Requests answered with the error `OVERLOAD` instead of being handled. */
  readonly shedRequests: number
  /** At-most-once messages whose handler failed, and deliveries that failed outside of their handler. */
  readonly defects: number
}

/** The running handlers of one service in this process. */
export interface Service extends AsyncDisposable {
  setConcurrency(concurrency: number): void
  pause(): void
  resume(): void
  /** Takes no more, waits for what runs; after `drainTimeoutMs` (default 10_000) its signal aborts. Idempotent. */
  stop(options?: StopOptions): Promise<void>
  /** Never rejects; an error = given up, health says why. */
  readonly ended: Promise<Error | undefined>
}

export interface StopOptions {
  /** @default 10_000 */
  readonly drainTimeoutMs?: number | undefined
}

export interface Bus extends AsyncDisposable {
  /**
   * Resolves with the message id once the carrier has it.
   * @throws {TransactionError} inside `inbox.once` or `outbox.transaction`, without `outbox: 'bypass'`
   */
  publish<D extends EventDefinition>(event: D, data: DataIn<D>, options?: SendOptions): Promise<string>
  /**
   * Resolves with the message id once the carrier has it.
   * @throws {TransactionError} inside `inbox.once` or `outbox.transaction`, without `outbox: 'bypass'`
   */
  send<D extends CommandDefinition>(command: D, data: DataIn<D>, options?: SendOptions): Promise<string>
  /**
   * Resolves with the reply.
   * @throws {TimeoutError} no reply within `timeoutMs`
   * @throws {RemoteError} the responder failed
   * @throws {PublishError} the request did not get out, or the reply address was lost
   * @throws {TransactionError} inside `inbox.once` or `outbox.transaction`
   */
  request<S extends Schema, R extends Schema>(
    request: RequestDefinition<S, R>,
    data: DataIn<RequestDefinition<S, R>>,
    options: RequestCallOptions,
  ): Promise<InferOutput<R>>
  /**
   * Asks every service that responds to the request, over the topic named as the request's queue. Resolves when those
   * that are expected have answered, when `until` says so, and at the latest after `timeoutMs`, with what there is.
   * @example for await (const { service, data } of bus.gather(Availability, { bikes: 4 }, { timeoutMs: 500 })) …
   * @throws {ConfigError} for an option out of bounds; @throws {TransactionError} as `request`
   * @throws {PublishError} as rejection: the question did not get out, or the reply address was lost
   * @throws {TimeoutError} as rejection: the question did not get out within `timeoutMs`
   * @throws {ClosedError} as rejection: the bus stopped meanwhile
   */
  gather<S extends Schema, R extends Schema, const E extends Expected = undefined>(
    request: RequestDefinition<S, R>,
    data: DataIn<RequestDefinition<S, R>>,
    options: GatherOptions<InferOutput<R>, E>,
  ): Gathering<InferOutput<R>, Missing<E>>
  /** All routes of a service in one call; a second call for the same service is a `ConfigError`. */
  subscribe(service: string, routes: readonly Route[], options?: ServiceOptions): Promise<Service>
  /** How carriers and services are, with the reason where one is not well. */
  health(): Promise<readonly PartHealth[]>
  stop(options?: StopOptions): Promise<void>
  /** @throws {UnsupportedError} neither the bus nor its transport keeps any */
  readonly parked: Parked
  readonly stats: BusStats
}
