import { json, type Codec } from './codec.ts'
import { ConfigError } from './errors.ts'
import type { InferInput, InferOutput, Schema } from './schema.ts'
import { resolveUpcasters, wireTypeOf, type OlderVersion, type Upcasters } from './upcast.ts'
import type { Destination } from './wire-message.ts'

/** What the three kinds of definition share. `S` describes the wire: what travels is the schema's input side. */
export interface DefinitionOptions<S extends Schema> {
  readonly schema: S
  /** @default 1 */
  readonly version?: number | undefined
  /** @default json */
  readonly codec?: Codec | undefined
  /** @default a topic (event) or queue (command, request) named by the type */
  readonly destination?: Partial<Destination> | undefined
  /** Messages of one key are handled one after another, in the order they were published. */
  readonly orderingKey?: ((data: InferInput<S>) => string | undefined) | undefined
  /** A business key under which the inbox counts a message as the same. @default the message id */
  readonly dedupeKey?: ((data: InferInput<S>) => string | undefined) | undefined
  /** How long after sending a message is still worth handling, in milliseconds. @default for ever */
  readonly ttlMs?: number | undefined
  /** @default 'at-least-once' */
  readonly delivery?: 'at-least-once' | 'at-most-once' | undefined
  /** A topic that nobody reads rejects the publish. @default false */
  readonly mustRoute?: boolean | undefined
  /**
   * How messages of older versions become this one, each directly: `{ 1: (old) => data, 2: (old) => data }`. A service
   * with a route for the older version itself uses that.
   */
  readonly upcast?: Upcasters<InferInput<S>> | undefined
}

export interface RequestOptions<S extends Schema, R extends Schema> extends DefinitionOptions<S> {
  /** Describes the answer: a schema, or a schema with its codec such as `protobuf(…)` and `avro(…)` give. */
  readonly reply: R | { readonly schema: R; readonly codec: Codec }
  /**
   * What a requester of an older version gets in place of the answer, by its version.
   * @default the answer as it is
   */
  readonly downcast?: { readonly [version: number]: (reply: InferInput<R>) => unknown } | undefined
}

/** Type, version, schema and codec of one message: a frozen value, made by `defineEvent`, `defineCommand` or `defineRequest`. */
export interface Definition<S extends Schema = Schema> {
  readonly kind: 'event' | 'command' | 'request'
  readonly type: string
  readonly version: number
  /** The type as it travels: `type` for version 1, `type.vN` after. */
  readonly wireType: string
  readonly schema: S
  readonly codec: Codec
  readonly destination: Destination
  orderingKey?(data: InferInput<S>): string | undefined
  dedupeKey?(data: InferInput<S>): string | undefined
  readonly ttlMs: number | undefined
  readonly delivery: 'at-least-once' | 'at-most-once'
  readonly mustRoute: boolean
  /** The older versions that it reads, by their type on the wire. */
  readonly older?: ReadonlyMap<string, OlderVersion> | undefined
}

export interface EventDefinition<S extends Schema = Schema> extends Definition<S> {
  readonly kind: 'event'
}
export interface CommandDefinition<S extends Schema = Schema> extends Definition<S> {
  readonly kind: 'command'
}
export interface RequestDefinition<S extends Schema = Schema, R extends Schema = Schema> extends Definition<S> {
  readonly kind: 'request'
  readonly reply: R
  readonly replyCodec: Codec
  /** How an answer becomes an older version's, by the type of the request on the wire. */
  readonly downcast?: ReadonlyMap<string, (reply: unknown) => unknown> | undefined
}

/** What a sender gives for a definition. */
export type DataIn<D> = D extends { readonly schema: infer S extends Schema } ? InferInput<S> : never
/** What a handler gets for a definition. */
export type DataOut<D> = D extends { readonly schema: infer S extends Schema } ? InferOutput<S> : never

/**
 * Something that happened: one to many, nobody owes an answer.
 * @example const RentalBooked = defineEvent('rental.booked', { schema: z.object({ rentalId: z.string() }) })
 * @throws {ConfigError} for a type, version or time to live out of bounds, or an upcast from no older version
 */
export function defineEvent<S extends Schema>(type: string, options: DefinitionOptions<S>): EventDefinition<S> {
  return Object.freeze({ kind: 'event' as const, ...resolve('topic', type, options) })
}

/**
 * Something to be done: one to one, no answer.
 * @throws {ConfigError} for a type, version or time to live out of bounds, or an upcast from no older version
 */
export function defineCommand<S extends Schema>(type: string, options: DefinitionOptions<S>): CommandDefinition<S> {
  return Object.freeze({ kind: 'command' as const, ...resolve('queue', type, options) })
}

/**
 * A question whose answer is owed: `bus.request` sends it, `respond` answers it.
 * @throws {ConfigError} for a type, version or time to live out of bounds, or an upcast from no older version
 */
export function defineRequest<S extends Schema, R extends Schema>(
  type: string,
  options: RequestOptions<S, R>,
): RequestDefinition<S, R> {
  const base = resolve('queue', type, options)
  const { reply } = options
  const schema = '~standard' in reply ? reply : reply.schema
  return Object.freeze({
    kind: 'request' as const,
    ...base,
    reply: schema,
    replyCodec: '~standard' in reply ? base.codec : reply.codec,
    downcast: resolveDowncasts(base, options.downcast),
  })
}

/** Only where an older request is read can it be answered. */
function resolveDowncasts(
  { type, older }: Pick<Definition, 'type' | 'older'>,
  given: Readonly<Record<number, (reply: never) => unknown>> = {},
): RequestDefinition['downcast'] {
  const entries = Object.entries(given).map(([key, downcast]) => {
    const wireType = wireTypeOf(type, Number(key))
    if (older?.has(wireType) !== true || typeof downcast !== 'function') {
      throw new ConfigError(
        `downcast ${JSON.stringify(key)} of "${type}": give a function, and an upcast of that version`,
      )
    }
    return [wireType, downcast as (reply: unknown) => unknown] as const
  })
  return entries.length === 0 ? undefined : new Map(entries)
}

function resolve<S extends Schema>(
  kind: Destination['kind'],
  type: string,
  options: DefinitionOptions<S>,
): Omit<Definition<S>, 'kind'> {
  const { version = 1, ttlMs } = options
  if (!/^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$/.test(type)) {
    throw new ConfigError(`type ${JSON.stringify(type)}: give 1 to 200 letters, digits, '.', '_', '-' or '/'`)
  }
  if (/\.v\d+$/.test(type)) throw new ConfigError(`type "${type}" ends in a version: give it as the option version`)
  if (!Number.isSafeInteger(version) || version < 1) {
    throw new ConfigError(`version of "${type}" is ${version}: give a whole number from 1`)
  }
  if (ttlMs !== undefined && !(ttlMs > 0)) {
    throw new ConfigError(`ttlMs of "${type}" is ${ttlMs}: give milliseconds above 0, or leave it out`)
  }
  return {
    type,
    version,
    wireType: wireTypeOf(type, version),
    schema: options.schema,
    codec: options.codec ?? json,
    destination: Object.freeze({ kind, name: type, ...options.destination }),
    ...(options.orderingKey && { orderingKey: options.orderingKey }),
    ...(options.dedupeKey && { dedupeKey: options.dedupeKey }),
    ttlMs,
    delivery: options.delivery ?? 'at-least-once',
    mustRoute: options.mustRoute ?? false,
    older: resolveUpcasters(type, version, options.upcast),
  }
}
