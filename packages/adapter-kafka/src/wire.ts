import { ConfigError, type Destination, type WireHeaders, type WireMessage } from '@waybill/core'

/** What travels: a Kafka record without its place. The client encodes text where it is needed, without a copy. */
export interface KafkaRecord {
  readonly key: string | Buffer | null
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, string | Buffer>>
}

type RecordHeaders = Record<string, string | Buffer>

/** A record as a Kafka client hands it out; repeated header names come as an array. */
export interface ReceivedRecord {
  readonly key?: Buffer | null | undefined
  readonly value: Buffer | null
  readonly headers?: Readonly<Record<string, Buffer | string | readonly (Buffer | string)[] | undefined>> | undefined
}

const CONTENT_TYPE = 'content-type'
const CORRELATION_ID = 'waybill-correlation-id'
const REPLY_TO = 'waybill-reply-to'
const EXPIRES_AT = 'waybill-expires-at'
const SUBJECT = 'waybill-subject'
/** Names of the headers that hold bytes: Kafka itself does not tell text from bytes. */
const BINARY = 'waybill-binary'
const OWN = new Set([CONTENT_TYPE, CORRELATION_ID, REPLY_TO, EXPIRES_AT, SUBJECT, BINARY])
const NOT_ATTRIBUTES = new Set(['specversion', 'id', 'type', 'datacontenttype'])
const PREFIX = 'ce_'

/**
 * CloudEvents 1.0, binary mode.
 * @throws {ConfigError} for a header whose name is taken
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
 */
export function toRecord(message: WireMessage): KafkaRecord {
  const headers = Object.create(null) as RecordHeaders
  headers.ce_specversion = '1.0'
  if (message.id !== '') headers.ce_id = message.id
  if (message.type !== '') headers.ce_type = message.type
  for (const [name, value] of Object.entries(message.attributes)) {
    if (!NOT_ATTRIBUTES.has(name)) headers[PREFIX + name] = value
  }
  if (message.contentType !== '') headers[CONTENT_TYPE] = message.contentType
  if (message.correlationId !== undefined) headers[CORRELATION_ID] = message.correlationId
  if (message.replyTo !== undefined) headers[REPLY_TO] = message.replyTo
  if (message.expiresAtMs !== undefined) headers[EXPIRES_AT] = String(message.expiresAtMs)
  if (message.destination.subject !== undefined) headers[SUBJECT] = message.destination.subject
  addHeaders(headers, message.headers)
  return {
    key: message.orderingKey ?? null,
    value: message.body === null ? null : view(message.body),
    headers,
  }
}

/** The same record with notes added; bytes and other headers stay as the broker had them. */
export function copyWith(record: ReceivedRecord, notes: WireHeaders): KafkaRecord {
  return { key: record.key ?? null, value: record.value, headers: headersWith(record, notes) }
}

function headersWith(record: ReceivedRecord, notes: WireHeaders): RecordHeaders {
  const headers = Object.create(null) as RecordHeaders
  for (const [name, value] of Object.entries(record.headers ?? {})) {
    const bytes = lastOf(value)
    if (bytes !== undefined) headers[name] = bytes
  }
  for (const [name, value] of Object.entries(notes)) {
    headers[name] = typeof value === 'string' ? value : view(value)
  }
  return headers
}

/** The record as it was first sent: without what was noted about its failures. */
export function withoutNotes(record: ReceivedRecord): KafkaRecord {
  const headers = headersWith(record, {})
  for (const name of Object.keys(headers)) {
    if (name.startsWith('waybill-') && !OWN.has(name)) delete headers[name]
  }
  return { key: record.key ?? null, value: record.value, headers }
}

/** One header as text; `undefined` if it is not there. */
export function headerOf(record: ReceivedRecord, name: string): string | undefined {
  return lastOf(record.headers?.[name])?.toString()
}

/**
 * Reads a record of anyone: without CloudEvents headers id and type are `''`. Bytes are copied, so that what a handler
 * does to them is not seen when the record is delivered or copied again.
 */
export function fromRecord(record: ReceivedRecord, destination: Destination): WireMessage {
  const attributes: Record<string, string> = {}
  const headers = Object.create(null) as Record<string, string | Uint8Array>
  const own = new Map<string, string>()
  const received = Object.entries(record.headers ?? {})
  const binary = binaryNames(record.headers?.[BINARY])
  for (const [name, value] of received) {
    const bytes = lastOf(value)
    if (bytes === undefined) continue
    if (OWN.has(name)) own.set(name, bytes.toString())
    else if (name.startsWith(PREFIX)) attributes[name.slice(PREFIX.length)] = bytes.toString()
    else headers[name] = (binary.has(name) ? undefined : textOf(bytes)) ?? Buffer.from(bytes)
  }
  const { id = '', type = '', datacontenttype = '', specversion: _, ...others } = attributes
  const subject = own.get(SUBJECT)
  const expiresAtMs = Number(own.get(EXPIRES_AT) ?? Number.NaN)
  return {
    id,
    type,
    destination: subject === undefined ? destination : { ...destination, subject },
    // some producers say it twice, and some only among the attributes
    contentType: own.get(CONTENT_TYPE) ?? datacontenttype,
    body: record.value && Buffer.from(record.value),
    attributes: others,
    headers,
    ...(record.key != null && { orderingKey: textOf(record.key) ?? record.key.toString('base64') }),
    ...(own.has(CORRELATION_ID) && { correlationId: own.get(CORRELATION_ID) }),
    ...(own.has(REPLY_TO) && { replyTo: own.get(REPLY_TO) }),
    ...(Number.isFinite(expiresAtMs) && { expiresAtMs }),
  }
}

/** Bytes of a record on the wire, rounded up. */
export function sizeOf({ key, value, headers }: ReceivedRecord): number {
  let bytes = 64 + (key?.byteLength ?? 0) + (value?.byteLength ?? 0)
  for (const name in headers) bytes += name.length * 2 + 8 + (lastOf(headers[name])?.byteLength ?? 0)
  return bytes
}

/**
 * The same of a record to be sent.
 * @throws {TypeError} for what is neither text nor bytes: the client would fail with all of its batch
 */
export function sizeToSend({ key, value, headers }: KafkaRecord): number {
  let bytes = 64 + (key === null ? 0 : Buffer.byteLength(key)) + (value?.byteLength ?? 0)
  for (const name in headers) bytes += name.length * 2 + 8 + Buffer.byteLength(headers[name]!)
  return bytes
}

function addHeaders(headers: RecordHeaders, given: WireHeaders): void {
  const binary: string[] = []
  for (const [name, value] of Object.entries(given)) {
    if (OWN.has(name) || name.startsWith(PREFIX)) {
      throw new ConfigError(`header ${JSON.stringify(name)} is reserved: choose another name`)
    }
    if (typeof value !== 'string') binary.push(name)
    headers[name] = typeof value === 'string' ? value : view(value)
  }
  if (binary.length > 0) headers[BINARY] = JSON.stringify(binary)
}

function binaryNames(value: unknown): Set<string> {
  if (value === undefined) return new Set()
  try {
    const names: unknown = JSON.parse(String(Array.isArray(value) ? value.at(-1) : value))
    return new Set(Array.isArray(names) ? names.map(String) : [])
  } catch {
    return new Set()
  }
}

// kafkajs answers names that exist on every object, such as `constructor`, with an array that begins with that property
function lastOf(value: unknown): Buffer | undefined {
  const last: unknown = Array.isArray(value) ? value.at(-1) : value
  if (typeof last === 'string') return Buffer.from(last)
  return Buffer.isBuffer(last) ? last : undefined
}

function textOf(bytes: Buffer): string | undefined {
  const text = bytes.toString()
  return Buffer.from(text).equals(bytes) ? text : undefined
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
