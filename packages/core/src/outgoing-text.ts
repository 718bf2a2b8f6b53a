import { ConfigError } from './errors.ts'
import type { WireHeaders } from './wire-message.ts'

/** Names that mean something to a carrier or to us: a caller who sets one would forge it. */
const RESERVED =
  /^(?:ce[-_]|cloudevents[:_]|waybill-|grpc-|:|x-death$|x-delivery-count$|x-acquired-count$|x-first-death|x-last-death|content-type$)/i
const CONTROLS = /[\u0000-\u001f\u007f]/
/** Ends a header, or a text, where a carrier or a bridge hands it on as lines. */
const LINE_ENDS = /[\u0000\r\n]/
const MAX_HEADERS = 64 * 1024
const MAX_ID_BYTES = 255

/**
 * A copy of the user's headers without a prototype.
 * @throws {ConfigError} for a name or value that can not travel, naming the header and never its value
 */
export function checkHeaders(given: WireHeaders): WireHeaders {
  const headers = Object.create(null) as Record<string, string | Uint8Array>
  let size = 0
  for (const [name, value] of Object.entries(given)) {
    if (name === '' || CONTROLS.test(name)) throw new ConfigError('a header name is empty or has a control character')
    const shown = name.length <= 100 ? name : `${name.slice(0, 99)}…`
    if (RESERVED.test(name)) throw new ConfigError(`header "${shown}" is reserved: choose another name`)
    if (typeof value === 'string') {
      if (LINE_ENDS.test(value))
        throw new ConfigError(`header "${shown}" has a line end or NUL: give its bytes instead`)
    } else if (!(value instanceof Uint8Array)) {
      throw new ConfigError(`header "${shown}" is of type ${typeof value}: give a string or bytes`)
    }
    size += name.length + value.length
    headers[name] = value
  }
  if (size > MAX_HEADERS)
    throw new ConfigError(`headers of ${size} are over ${MAX_HEADERS}: put large data in the body`)
  return headers
}

/** @throws {ConfigError} for an id that is empty, long, or not on one line */
export function checkId(field: string, id: string): void {
  if (typeof id !== 'string' || id === '' || Buffer.byteLength(id) > MAX_ID_BYTES) {
    throw new ConfigError(`${field} is no text of 1 to ${MAX_ID_BYTES} bytes: shorten it, or hash it`)
  }
  checkText(field, id)
}

/** @throws {ConfigError} for a text that is not on one line */
export function checkText(what: string, text: string): void {
  if (typeof text !== 'string') throw new ConfigError(`${what} is of type ${typeof text}: give a string`)
  if (LINE_ENDS.test(text)) throw new ConfigError(`${what} has a line end or NUL: leave it out`)
}
