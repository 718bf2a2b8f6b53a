import { PublishError } from '@waybill/core'
import type { Destination, WireHeaders, WireMessage } from '@waybill/core'
import type { AmqpMessage, AmqpProperties } from './client.ts'

/** A message ready for `basic.publish`. */
export interface Outgoing {
  readonly exchange: string
  readonly routingKey: string
  readonly content: Buffer
  readonly mandatory: boolean
  readonly properties: OutgoingProperties
}

export type OutgoingProperties = Omit<AmqpProperties, 'headers'> & {
  readonly headers: Record<string, unknown>
  readonly persistent: boolean
  /** Where amqplib looks for it; set when it is sent. */
  mandatory?: boolean
  /** Further routing keys, which nobody sees who gets the message. @see https://www.rabbitmq.com/docs/sender-selected */
  BCC?: readonly string[]
}

/**
 * Names of our own headers: what a copy must not forget, and what has no native place. Readers in other languages may
 * leave them out of account.
 */
export const OWN = Object.freeze({
  publish: 'waybill-publish',
  attempts: 'waybill-attempts',
  exchange: 'waybill-exchange',
  routingKey: 'waybill-routing-key',
  null: 'waybill-null',
  handle: 'waybill-handle',
  parkedAt: 'waybill-parked-at',
  /** Before a header's name that amqplib or the broker would take for something of its own. */
  escape: 'waybill-header:',
})

/** RabbitMQ 4 closes the channel for a larger one. @see https://www.rabbitmq.com/docs/configure */
export const MAX_BODY_BYTES = 16 * 1024 * 1024
/** amqplib encodes all headers in 64 KiB; the rest is left for attributes and for the notes of a later dead letter. */
export const MAX_HEADER_BYTES = 48 * 1024

const ATTRIBUTE = 'cloudEvents'
const SEPARATORS: ReadonlySet<string | undefined> = new Set([':', '_'])
const RESERVED =
  /^(?:ce[_-]|cloudevents[:_]|waybill-|x-death|x-delivery-count|x-acquired-count|x-first-death|x-last-death)/i
const OF_THE_BROKER = /^(?:x-death$|x-delivery-count$|x-acquired-count$|x-first-death-|x-last-death-|CC$|BCC$)/
const OWN_NAMES: ReadonlySet<string> = new Set(Object.values(OWN))
const NATIVE_ATTRIBUTES: ReadonlySet<string> = new Set(['specversion', 'id', 'type', 'datacontenttype'])
const SHORT_BYTES = 255

/**
 * CloudEvents binary mode: attributes as `cloudEvents:*` headers beside the native properties, the body untouched.
 * @throws {PublishError} for good, when the message has no form on this wire
 * @see https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/amqp-protocol-binding.md
 */
export function write(message: WireMessage, to: Pick<Outgoing, 'exchange' | 'routingKey' | 'mandatory'>): Outgoing {
  const { id, type, body, attributes, destination } = message
  if (body !== null && body.byteLength > MAX_BODY_BYTES) {
    throw refused(`the body of ${body.byteLength} bytes is over the ${MAX_BODY_BYTES} that RabbitMQ takes`)
  }
  // a literal of one form: encoding anything else takes up to twice as long; what is undefined is left out
  const headers: Record<string, unknown> = {
    'cloudEvents:specversion': '1.0',
    'cloudEvents:id': id,
    'cloudEvents:type': type,
    'cloudEvents:source': attributes.source,
    'cloudEvents:time': attributes.time,
    [OWN.publish]: undefined,
  }
  addUserHeaders(headers, message.headers, destination.kind === 'service')
  for (const name in attributes) {
    if (name !== 'source' && name !== 'time') headers[`cloudEvents:${name}`] = attributes[name]
  }
  if (message.orderingKey !== undefined) headers['cloudEvents:partitionkey'] = message.orderingKey
  if (message.expiresAtMs !== undefined) {
    headers['cloudEvents:expirytime'] = new Date(message.expiresAtMs).toISOString()
  }
  if (body === null) headers[OWN.null] = '1'
  const seconds = attributes.time === undefined ? Number.NaN : Math.floor(Date.parse(attributes.time) / 1_000)
  return {
    ...to,
    routingKey: short('routing key', to.routingKey),
    content: body === null ? Buffer.alloc(0) : Buffer.from(body.buffer, body.byteOffset, body.byteLength),
    properties: {
      headers,
      persistent: message.confirm !== false,
      contentType: short('content type', message.contentType),
      messageId: isShort(id) ? id : undefined,
      type: isShort(type) ? type : undefined,
      correlationId: message.correlationId === undefined ? undefined : short('correlation id', message.correlationId),
      replyTo: message.replyTo === undefined ? undefined : short('reply address', message.replyTo),
      timestamp: seconds >= 0 ? seconds : undefined,
      priority: message.priority === undefined ? undefined : priority(message.priority),
    },
  }
}

/** @see https://www.rabbitmq.com/docs/priority */
function priority(given: number): number {
  if (Number.isInteger(given) && given >= 0 && given <= 255) return given
  throw refused(
    `priority ${given}: give a whole number from 0 to 255, of which RabbitMQ tells those over 4 from the rest`,
  )
}

function addUserHeaders(headers: Record<string, unknown>, given: WireHeaders, notesAllowed: boolean): void {
  let bytes = 0
  for (const name of Object.keys(given)) {
    const value = given[name]!
    if (RESERVED.test(name) && !(notesAllowed && name.startsWith('waybill-'))) {
      throw refused(`header "${name}" is reserved: choose another name`)
    }

    if (name === '' || /[\u0000-\u001f]/.test(name)) throw refused('a header name is empty or has control characters')
    const wireName = needsEscape(name) ? OWN.escape + name : name
    bytes += Buffer.byteLength(short('header name', wireName)) + 6
    if (typeof value === 'string') {
      bytes += Buffer.byteLength(value)
      headers[wireName] = value
    } else {
      bytes += value.byteLength
      headers[wireName] = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    }
  }
  if (bytes > MAX_HEADER_BYTES) throw refused(`headers of ${bytes} bytes are over the ${MAX_HEADER_BYTES} allowed`)
}

// `__proto__` is lost in amqplib's decoder, CC and BCC are addresses to the broker
function needsEscape(name: string): boolean {
  return name === '__proto__' || name === 'CC' || name === 'BCC'
}

/** Which queue a message came from, so that its destination can be told. */
export interface ReadContext {
  readonly serviceQueue?: string | undefined
  readonly service?: string | undefined
  /** The name of a queue whose shard it came from. */
  readonly homeOf?: ((queue: string) => string) | undefined
}

/** Reads any message, also a foreign producer's: without an id or type these are `''`. Never throws. */
export function read(raw: AmqpMessage, context: ReadContext = {}): WireMessage {
  const { properties, fields, content } = raw
  const given = properties.headers ?? {}
  const headers = Object.create(null) as Record<string, string | Uint8Array>
  const attributes = Object.create(null) as Record<string, string>
  const native: Record<string, string> = {}
  let tombstone = false
  // own names only: amqplib lets a foreign `__proto__` table become the prototype
  for (const name of Object.keys(given)) {
    const value = given[name]
    if (value === null || value === undefined) continue
    if (name.startsWith(ATTRIBUTE) && SEPARATORS.has(name[ATTRIBUTE.length])) {
      const attribute = name.slice(ATTRIBUTE.length + 1)
      if (NATIVE_ATTRIBUTES.has(attribute)) native[attribute] = text(value)
      else attributes[attribute] = text(value)
    } else if (name === OWN.null) tombstone = content.byteLength === 0
    else if (name.startsWith(OWN.escape)) headers[name.slice(OWN.escape.length)] = headerValue(value)
    else if (!OWN_NAMES.has(name) && !OF_THE_BROKER.test(name)) headers[name] = headerValue(value)
  }
  const type = native.type ?? properties.type ?? ''
  const orderingKey = take(attributes, 'partitionkey')
  const expiresAtMs = Date.parse(take(attributes, 'expirytime') ?? '')
  if (attributes.time === undefined && properties.timestamp !== undefined) {
    const time = new Date(properties.timestamp * 1_000)
    if (Number.isFinite(time.getTime())) attributes.time = time.toISOString()
  }
  return {
    id: native.id ?? properties.messageId ?? '',
    type,
    destination: readDestination(ownHeader(raw, OWN.exchange) ?? fields.exchange, originalKey(raw), type, context),
    contentType: properties.contentType ?? native.datacontenttype ?? '',
    // a copy: a handler that writes into it must not change what a later copy is made of
    body: tombstone ? null : new Uint8Array(content),
    attributes,
    headers,
    ...(orderingKey !== undefined && { orderingKey }),
    ...(properties.correlationId !== undefined && { correlationId: properties.correlationId }),
    ...(properties.replyTo !== undefined && { replyTo: properties.replyTo }),
    ...(Number.isFinite(expiresAtMs) && { expiresAtMs }),
    ...(properties.priority !== undefined && { priority: properties.priority }),
  }
}

function readDestination(exchange: string, routingKey: string, type: string, context: ReadContext): Destination {
  if (exchange !== '') {
    return { kind: 'topic', name: exchange, ...(routingKey !== type && { subject: routingKey }) }
  }
  const queue = context.homeOf?.(routingKey) ?? routingKey
  if (queue === context.serviceQueue) return { kind: 'service', name: context.service ?? queue }
  return { kind: 'queue', name: queue }
}

function originalKey(raw: AmqpMessage): string {
  return ownHeader(raw, OWN.routingKey) ?? raw.fields.routingKey
}

/** One of the headers of `OWN`, as text. */
export function ownHeader(raw: AmqpMessage, name: string): string | undefined {
  const headers = raw.properties.headers
  return headers !== undefined && Object.hasOwn(headers, name) ? text(headers[name]) : undefined
}

/** One of the broker's counts, 0 where there is none. */
export function countHeader(raw: AmqpMessage, name: string): number {
  const count = Number(ownHeader(raw, name) ?? 0)
  return Number.isSafeInteger(count) && count > 0 ? count : 0
}

/**
 * How often the broker took the message back because what held it ended; before 4.3 also because it was released. Zero
 * before it ever did, since what a header of that name says then is the sender's word.
 */
export function returnsOf(raw: AmqpMessage): number {
  return raw.fields.redelivered === true ? countHeader(raw, 'x-delivery-count') : 0
}

/** Own rounds so far, plus what the broker counted since; classic queues only tell that there was an earlier one. */
export function attemptOf(raw: AmqpMessage): number {
  const rounds = Number(ownHeader(raw, OWN.attempts) ?? 0)
  const seen = raw.fields.redelivered === true ? Math.max(1, returnsOf(raw), countHeader(raw, 'x-acquired-count')) : 0
  return (Number.isSafeInteger(rounds) && rounds > 0 ? rounds : 0) + 1 + seen
}

/** Properties of a copy: the broker's own, without its traces, plus notes; no expiration, so that it can't get lost. */
export function copyProperties(
  raw: AmqpMessage,
  notes: Readonly<Record<string, string | Uint8Array>>,
): OutgoingProperties {
  const { headers: given = {}, ...properties } = raw.properties
  const headers = Object.create(null) as Record<string, unknown>
  for (const name of Object.keys(given)) {
    if (name !== OWN.publish && !OF_THE_BROKER.test(name)) headers[name] = given[name]
  }
  headers[OWN.exchange] ??= raw.fields.exchange
  headers[OWN.routingKey] ??= raw.fields.routingKey
  for (const name of Object.keys(notes)) {
    const value = notes[name]!
    headers[name] = typeof value === 'string' ? value : Buffer.from(value)
  }
  return {
    headers,
    persistent: true,
    contentType: properties.contentType,
    contentEncoding: properties.contentEncoding,
    priority: properties.priority,
    correlationId: properties.correlationId,
    replyTo: properties.replyTo,
    messageId: properties.messageId,
    timestamp: properties.timestamp,
    type: properties.type,
    appId: properties.appId,
  }
}

function take(attributes: Record<string, string>, name: string): string | undefined {
  const value = attributes[name]
  delete attributes[name]
  return value
}

function headerValue(value: unknown): string | Uint8Array {
  return value instanceof Uint8Array ? new Uint8Array(value) : text(value)
}

function text(value: unknown): string {
  if (typeof value === 'string') return value
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8')
  if (typeof value !== 'object') return String(value)
  return JSON.stringify(value)
}

function isShort(value: string): boolean {
  // a character takes at most three bytes
  return 3 * value.length <= SHORT_BYTES || Buffer.byteLength(value) <= SHORT_BYTES
}

function short(what: string, value: string): string {
  if (!isShort(value)) throw refused(`the ${what} is over the ${SHORT_BYTES} bytes that AMQP allows`)
  return value
}

/** A message that will not be taken, whenever it is tried. */
export function refused(reason: string): PublishError {
  return new PublishError(`not published to RabbitMQ: ${reason}`, { scope: 'message', retryable: false })
}

/** Properties of a copy that starts afresh: no rounds, no reason, nothing of its time as a dead letter. */
export function withoutNotes(properties: OutgoingProperties): OutgoingProperties {
  const headers = Object.create(null) as Record<string, unknown>
  const kept: ReadonlySet<string> = new Set([OWN.exchange, OWN.routingKey, OWN.null])
  for (const name of Object.keys(properties.headers)) {
    const note = name.startsWith('waybill-') && !name.startsWith(OWN.escape)
    if (!note || kept.has(name)) headers[name] = properties.headers[name]
  }
  return { ...properties, headers }
}
