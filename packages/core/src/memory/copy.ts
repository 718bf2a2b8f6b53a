import type { WireHeaders, WireMessage } from '../wire-message.ts'

/** A message that shares nothing changeable with the given one: each attempt gets its own. */
export function copyOf(message: WireMessage, notes?: WireHeaders): WireMessage {
  const { body } = message
  return {
    ...message,
    body: body === null ? null : copyBytes(body),
    attributes: { ...message.attributes },
    headers: copyHeaders(message.headers, notes),
  }
}

function copyHeaders(given: WireHeaders, notes?: WireHeaders): WireHeaders {
  const headers = Object.create(null) as Record<string, string | Uint8Array>
  for (const name in given) headers[name] = copyValue(given[name]!)
  if (notes !== undefined) for (const name in notes) headers[name] = copyValue(notes[name]!)
  return headers
}

function copyValue(value: string | Uint8Array): string | Uint8Array {
  return typeof value === 'string' ? value : copyBytes(value)
}

// through Node's pool, which is eight times faster than memory of its own; not `slice`, which on a Buffer is a view
function copyBytes(bytes: Uint8Array): Uint8Array {
  const { buffer, byteOffset, byteLength } = Buffer.from(bytes)
  return new Uint8Array(buffer, byteOffset, byteLength)
}

/** About what a message takes in memory. */
export function sizeOf({ body, headers }: WireMessage): number {
  let bytes = body === null ? 0 : body.byteLength
  for (const name in headers) bytes += name.length + headers[name]!.length
  return bytes
}
