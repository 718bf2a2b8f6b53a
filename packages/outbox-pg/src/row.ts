import { isUtf8 } from 'node:buffer'
import { PublishError, type Destination, type WireHeaders, type WireMessage } from '@waybill/core'

/** The columns of a message as they are written, in this order, with the types of their arrays. */
export const MESSAGE_COLUMNS = [
  ['message_id', 'text'],
  ['transport', 'text'],
  ['kind', 'text'],
  ['destination', 'text'],
  ['subject', 'text'],
  ['type', 'text'],
  ['ordering_key', 'text'],
  ['bucket', 'int2'],
  ['attributes', 'text'],
  ['headers', 'text'],
  ['content_type', 'text'],
  ['body_text', 'text'],
  ['body_bytes', 'bytea'],
  ['correlation_id', 'text'],
  ['reply_to', 'text'],
  ['priority', 'int2'],
  ['must_route', 'bool'],
  ['expires_at', 'timestamptz'],
] as const

export const COLUMN_NAMES = MESSAGE_COLUMNS.map(([name]) => name).join(', ')

/** What a reader selects of a message; the order is known to `fromRow` alone. `row` is the table's alias. */
export const selectMessage = (row: string): string => `
  ${row}.message_id, ${row}.transport, ${row}.kind, ${row}.destination, ${row}.subject, ${row}.type, ${row}.ordering_key,
  ${row}.attributes, ${row}.headers, ${row}.content_type, ${row}.body_text, ${row}.body_bytes, ${row}.correlation_id,
  ${row}.reply_to, ${row}.priority, ${row}.must_route, ${sinceEpoch(`${row}.expires_at`, 1e3)},
  ${sinceEpoch(`${row}.created_at`, 1e6)}`

/** `date_part` counts in floating point, exact to the microsecond for centuries; `extract` in decimals, which take longer. */
const sinceEpoch = (time: string, unitsInSecond: number): string =>
  `(date_part('epoch', ${time}) * ${unitsInSecond})::bigint`

/** How many columns `selectMessage` has. */
export const SELECTED_COLUMNS = 18

export const BUCKETS = 16

type Value = string | number | boolean | Buffer | null

/**
 * A message as the values of `MESSAGE_COLUMNS`.
 * @throws {PublishError} for U+0000 in a name, which a text column can't hold
 */
export function toRow(message: WireMessage, transport: string | undefined): Value[] {
  const { destination, body, expiresAtMs } = message
  const text =
    body === null || !fitsText(body) ? null : Buffer.from(body.buffer, body.byteOffset, body.length).toString()
  const row = [
    message.id,
    destination.transport ?? transport ?? null,
    destination.kind,
    destination.name,
    destination.subject ?? null,
    message.type,
    message.orderingKey ?? null,
    bucketOf(message.orderingKey ?? message.id),
    JSON.stringify(message.attributes),
    writeHeaders(message.headers),
    message.contentType,
    text,
    body === null || text !== null ? null : Buffer.from(body.buffer, body.byteOffset, body.length),
    message.correlationId ?? null,
    message.replyTo ?? null,
    message.priority ?? null,
    message.mustRoute ?? null,
    expiresAtMs === undefined ? null : new Date(expiresAtMs).toISOString(),
  ]
  if (row.some((value) => typeof value === 'string' && value.includes('\0'))) {
    throw new PublishError(`message of type "${message.type}" has U+0000 in an id, key or name: take it out`, {
      retryable: false,
    })
  }
  return row
}

/** A selected row as message. Attributes that only the log knows are added where the sender gave none. */
export function fromRow(row: readonly (string | null)[], at: number, sequence: string | null): WireMessage {
  const attributes = JSON.parse(row[at + 7]!) as Record<string, string>
  // rows of an outbox carry no time of the sender: the database's own is the one that counts
  if (attributes.time === undefined && row[at + 17] != null) {
    attributes.time = timeOf(row[at + 17]!)
    if (sequence !== null) attributes.sequence ??= sequence
  }
  const destination: Destination = {
    kind: row[at + 2] as Destination['kind'],
    name: row[at + 3]!,
    ...(row[at + 4] != null && { subject: row[at + 4]! }),
    ...(row[at + 1] != null && { transport: row[at + 1]! }),
  }
  return {
    id: row[at]!,
    type: row[at + 5]!,
    destination,
    contentType: row[at + 9]!,
    body: readBody(row[at + 10] ?? null, row[at + 11] ?? null),
    attributes,
    headers: readHeaders(row[at + 8] ?? null),
    ...(row[at + 6] != null && { orderingKey: row[at + 6]! }),
    ...(row[at + 12] != null && { correlationId: row[at + 12]! }),
    ...(row[at + 13] != null && { replyTo: row[at + 13]! }),
    ...(row[at + 14] != null && { priority: Number(row[at + 14]) }),
    ...(row[at + 15] === 't' && { mustRoute: true as const }),
    ...(row[at + 16] != null && { expiresAtMs: Number(row[at + 16]) }),
  }
}

/** Headers as JSON text; bytes as `{ "base64": … }`, `null` when there are none. */
export function writeHeaders(headers: WireHeaders): string | null {
  let found = false
  const plain: Record<string, unknown> = Object.create(null)
  for (const [name, value] of Object.entries(headers)) {
    found = true
    plain[name] = typeof value === 'string' ? value : { base64: Buffer.from(value).toString('base64') }
  }
  return found ? JSON.stringify(plain) : null
}

function readHeaders(text: string | null): WireHeaders {
  const headers = Object.create(null) as Record<string, string | Uint8Array>
  if (text === null) return headers
  for (const [name, value] of Object.entries(JSON.parse(text) as Record<string, string | { base64: string }>)) {
    headers[name] = typeof value === 'string' ? value : new Uint8Array(Buffer.from(value.base64, 'base64'))
  }
  return headers
}

function readBody(text: string | null, bytes: string | null): Uint8Array | null {
  if (text !== null) return Buffer.from(text)
  return bytes === null ? null : Buffer.from(bytes.slice(2), 'hex')
}

/** Text costs the reader half of what bytes do; a text column holds neither U+0000 nor what is no UTF-8. */
function fitsText(body: Uint8Array): boolean {
  return isUtf8(body) && !body.includes(0)
}

let lastSecond = ''
let lastSecondText = ''

/** Rows of one second follow each other, and dates are slow to write. */
function timeOf(epochMicros: string): string {
  const second = epochMicros.slice(0, -6)
  if (second !== lastSecond) {
    lastSecondText = new Date(Number(second) * 1_000).toISOString().slice(0, -4)
    lastSecond = second
  }
  return `${lastSecondText}${epochMicros.slice(-6, epochMicros.endsWith('000') ? -3 : undefined)}Z`
}

/** FNV-1a over the key's UTF-16 units, so that every writer of any version puts a key in the same bucket. */
function bucketOf(key: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < key.length; index++) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193)
  return (hash >>> 0) % BUCKETS
}
