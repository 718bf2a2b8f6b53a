import { createHash } from 'node:crypto'
import type { WireMessage } from '../wire-message.ts'

/** All of a message that must arrive as it was sent, short enough for a report; long bodies by their hash. */
export function contentOf(message: WireMessage): string {
  const { type, contentType, body, headers, orderingKey = null, correlationId = null, attributes } = message
  const own = Object.entries(headers)
    .filter(([name]) => !name.startsWith('waybill-') && name !== 'traceparent')
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, value]) => [name, typeof value === 'string' ? value : { bytes: bytesOf(value) }])
  const { source = null, time = null } = attributes
  return JSON.stringify({
    type,
    contentType,
    body: body && bytesOf(body),
    headers: own,
    orderingKey,
    correlationId,
    source,
    time,
  })
}

function bytesOf(bytes: Uint8Array): string {
  if (bytes.byteLength <= 48) return Buffer.from(bytes).toString('latin1')
  return `${bytes.byteLength} bytes, sha256 ${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}`
}
