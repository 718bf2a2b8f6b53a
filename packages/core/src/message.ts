import type { Codec } from './codec.ts'
import type { DataIn, DataOut, Definition } from './definition.ts'
import { CodecError, ConfigError, ExpiredError, ValidationError } from './errors.ts'
import { checkHeaders, checkId, checkText } from './outgoing-text.ts'
import type { Ports } from './ports.ts'
import { validate } from './schema.ts'
import { convert, type OlderVersion } from './upcast.ts'
import type { WireHeaders, WireMessage } from './wire-message.ts'

/** What a sender may say beside the data. */
export interface SendOptions {
  /** 1 to 255 bytes. @default a new UUIDv7 */
  readonly id?: string | undefined
  /** @default what the definition's `orderingKey` says */
  readonly orderingKey?: string | undefined
  /** @default what the definition's `dedupeKey` says */
  readonly dedupeKey?: string | undefined
  readonly correlationId?: string | undefined
  /** The id of the message that led to this one. */
  readonly causationId?: string | undefined
  /** Text (on one line) or bytes, names and values together at most 64 Ki; many carriers take less. */
  readonly headers?: WireHeaders | undefined
  /** Not before this time; only where the carrier or the outbox can hold a message back. */
  readonly deliverAt?: Date | undefined
  /**
   * How long after now it is still worth handling, in milliseconds: what is left of a deadline. With nothing left the
   * call rejects with an `ExpiredError`. @default the definition's `ttlMs`
   */
  readonly ttlMs?: number | undefined
  readonly priority?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** How long the carrier may take to confirm, in milliseconds. @default the adapter's own */
  readonly timeoutMs?: number | undefined
  /**
   * `'bypass'` lets a bus send at once from inside a transaction that it knows of (`inbox.once`, `outbox.transaction`):
   * the message then leaves also when the transaction rolls back. @default refused with a `TransactionError`
   */
  readonly outbox?: 'bypass' | undefined
}

const NO_HEADERS: WireHeaders = Object.freeze(Object.create(null) as Record<string, string>)

/** What is known about a message without its data. */
export interface MessageInfo {
  readonly id: string
  /** The definition's type, without a version. */
  readonly type: string
  /** The one that travelled, also where the data was upcast from it. */
  readonly version: number
  readonly source: string | undefined
  /** RFC 3339, as the sender wrote it. */
  readonly time: string | undefined
  readonly attributes: Readonly<Record<string, string>>
  readonly headers: WireHeaders
  readonly orderingKey: string | undefined
  readonly dedupeKey: string | undefined
  readonly correlationId: string | undefined
  readonly causationId: string | undefined
}

/** What `encode` needs besides definition and data. */
export interface EncodeContext {
  /** CloudEvents `source`: a URI reference that names the sender. */
  readonly source: string
  readonly ports: Pick<Ports, 'clock' | 'newId'>
  /** Writes a time as RFC 3339; one who sends much may remember the last. @default written each time */
  readonly timeText?: ((nowMs: number) => string) | undefined
}

/**
 * Checks the data against the definition's schema and writes the message as it travels. Synchronous when the schema is.
 * @throws {ValidationError} the data does not fit; @throws {CodecError} it has no form in the codec;
 * @throws {ConfigError} a header, id or key that can not travel, or a key together with a priority or a delivery time
 */
export function encode<D extends Definition>(
  definition: D,
  data: DataIn<D>,
  options: SendOptions,
  context: EncodeContext,
): WireMessage | Promise<WireMessage> {
  const checked = validate(definition.schema, data, `data for "${definition.wireType}"`)
  if (checked instanceof Promise) return checked.then(() => write(definition, data, options, context))
  return write(definition, data, options, context)
}

/** Nobody would handle it: each service drops what is past its time. */
function withoutTime({ wireType }: Definition, ttlMs: number): Error {
  if (Number.isNaN(ttlMs)) return new ConfigError(`ttlMs of "${wireType}" is NaN: give milliseconds above 0`)
  return new ExpiredError(`"${wireType}" was past its time before it left: its ttlMs is ${ttlMs}`)
}

function write<D extends Definition>(
  definition: D,
  data: DataIn<D>,
  options: SendOptions,
  { source, ports, timeText }: EncodeContext,
): WireMessage {
  const nowMs = ports.clock.nowMs()
  const orderingKey = options.orderingKey ?? definition.orderingKey?.(data)
  const dedupeKey = options.dedupeKey ?? definition.dedupeKey?.(data)
  if (options.id !== undefined) checkId('id', options.id)
  if (options.correlationId !== undefined) checkId('correlationId', options.correlationId)
  if (options.causationId !== undefined) checkId('causationId', options.causationId)
  if (orderingKey !== undefined) checkText('an ordering key', orderingKey)
  if (dedupeKey !== undefined) checkText('a dedupe key', dedupeKey)
  const ttlMs = options.ttlMs ?? definition.ttlMs
  if (ttlMs !== undefined && !(ttlMs > 0)) throw withoutTime(definition, ttlMs)
  if (orderingKey !== undefined && (options.deliverAt !== undefined || options.priority !== undefined)) {
    throw new ConfigError(
      `"${definition.wireType}" has an ordering key: deliverAt and priority would break its order, leave them out`,
    )
  }
  const attributes: Record<string, string> = { source, time: timeText?.(nowMs) ?? new Date(nowMs).toISOString() }
  if (dedupeKey !== undefined) attributes.dedupekey = dedupeKey
  if (options.causationId !== undefined) attributes.causationid = options.causationId
  // every message has the same shape, which is what makes reading and copying it quick
  return {
    id: options.id ?? ports.newId(),
    type: definition.wireType,
    destination: definition.destination,
    contentType: definition.codec.contentType,
    body: definition.codec.encode(data),
    attributes,
    headers: options.headers === undefined ? NO_HEADERS : checkHeaders(options.headers),
    orderingKey,
    correlationId: options.correlationId,
    replyTo: undefined,
    expiresAtMs: ttlMs === undefined ? undefined : nowMs + ttlMs,
    deliverAtMs: options.deliverAt?.getTime(),
    priority: options.priority,
    confirm: definition.delivery === 'at-most-once' ? false : undefined,
    mustRoute: definition.mustRoute ? true : undefined,
  }
}

/**
 * Reads and checks a message's data by the definition it was matched to. Synchronous when the schema is.
 * @throws {CodecError} the bytes are not what the definition's codec reads; @throws {ValidationError} the data does not fit
 */
export function decode<D extends Definition>(definition: D, message: WireMessage): DataOut<D> | Promise<DataOut<D>> {
  const older = olderOf(definition, message)
  if (older !== undefined) return upcast(definition, older, message) as DataOut<D> | Promise<DataOut<D>>
  const data = read(definition.codec, definition.wireType, message)
  return validate(definition.schema, data, `data of "${definition.wireType}"`) as DataOut<D> | Promise<DataOut<D>>
}

/** The older version that a message is of; a message without a type is taken for the definition's own. */
function olderOf({ older, wireType }: Definition, { type }: WireMessage): OlderVersion | undefined {
  return older === undefined || type === wireType ? undefined : older.get(type)
}

function upcast(definition: Definition, older: OlderVersion, message: WireMessage): unknown {
  const raise = (old: unknown) => {
    const what = `upcast of "${definition.type}" from version ${older.version} to ${definition.version}`
    const data = convert(what, older.upcast, old)
    return validate(definition.schema, data, `data of "${message.type}" as "${definition.wireType}"`)
  }
  const old = read(older.codec ?? definition.codec, message.type, message)
  if (older.schema === undefined) return raise(old)
  const checked = validate(older.schema, old, `data of "${message.type}"`)
  return checked instanceof Promise ? checked.then(raise) : raise(checked)
}

function read(codec: Codec, wireType: string, { body, contentType }: WireMessage): unknown {
  if (body === null) throw new ValidationError(`"${wireType}" came without a body`, [])
  // most are equal as they stand
  if (contentType !== codec.contentType && !sameMedia(contentType, codec.contentType)) {
    throw new CodecError(
      `"${wireType}" came as ${mediaType(contentType)}, not as ${codec.contentType}: give its definition that codec`,
    )
  }
  return codec.decode(body)
}

/** Without its parameters; a message that does not say is taken at the definition's word. */
function sameMedia(given: string, expected: string): boolean {
  const media = mediaType(given)
  return media === '' || media === mediaType(expected)
}

function mediaType(contentType: string): string {
  return contentType.split(';', 1)[0]!.trim().toLowerCase()
}

/** Everything about a message that a handler may want beside its data. */
export function messageInfo(definition: Definition, message: WireMessage): MessageInfo {
  const { attributes } = message
  return {
    id: message.id,
    type: definition.type,
    version: olderOf(definition, message)?.version ?? definition.version,
    source: attributes.source,
    time: attributes.time,
    attributes,
    headers: message.headers,
    orderingKey: message.orderingKey,
    dedupeKey: attributes.dedupekey,
    correlationId: message.correlationId,
    causationId: attributes.causationid,
  }
}
