import type { TextMapGetter, TextMapSetter } from '@opentelemetry/api'
import type { WireHeaders } from '../wire-message.ts'

const MAX_BYTES = 8_192

/** How a propagator reads the headers of a message; bytes are text to it, as some carriers know no other headers. */
export const headerGetter: TextMapGetter<WireHeaders> = Object.freeze({
  keys: (headers: WireHeaders) => Object.keys(headers),
  get(headers: WireHeaders, name: string) {
    const value = Object.hasOwn(headers, name) ? headers[name] : undefined
    if (value instanceof Uint8Array) return value.length > MAX_BYTES ? undefined : Buffer.from(value).toString('latin1')
    return value
  },
})

export const headerSetter: TextMapSetter<Record<string, string | Uint8Array>> = Object.freeze({
  set(headers: Record<string, string | Uint8Array>, name: string, value: string) {
    headers[name] = value
  },
})
