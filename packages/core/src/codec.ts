import { CodecError, ConfigError } from './errors.ts'

/** Turns data into bytes and back. `decode` throws `CodecError` for bytes that aren't what the content type says. */
export interface Codec {
  readonly contentType: string
  /** The payload's own schema, for documents: AsyncAPI's `schemaFormat` and the schema. JSON has none, it stands on the definition's. */
  readonly payloadSchema?: { readonly format: string; readonly schema: unknown } | undefined
  encode(data: unknown): Uint8Array
  decode(body: Uint8Array): unknown
}

export interface CodecLimits {
  /** Larger bodies are neither written nor read: parsing one would hold up everything else. @default 16 MiB */
  readonly maxBodyBytes?: number | undefined
}

export interface JsonOptions extends CodecLimits {
  /** Objects and arrays within one another; deeper ones overflow the stack of whoever walks through them. @default 1_000 */
  readonly maxDepth?: number | undefined
}

/** As much as RabbitMQ 4 takes for one message; the other carriers take less by default. */
export const MAX_BODY_BYTES = 16 * 1024 * 1024
const MAX_DEPTH = 1_000

const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * JSON in UTF-8 with limits of one's own. Of a repeated name the last one counts, and a field named `__proto__` is a field.
 * Whole numbers from 2^53 lose their last digits, as in every JavaScript: send them as text.
 * @throws {ConfigError} for a limit out of bounds
 * @see https://www.rfc-editor.org/rfc/rfc8259
 */
export function jsonCodec(options: JsonOptions = {}): Codec {
  const { maxBodyBytes = MAX_BODY_BYTES, maxDepth = MAX_DEPTH } = options
  for (const [field, value] of Object.entries({ maxBodyBytes, maxDepth })) {
    if (!(value >= 1)) throw new ConfigError(`${field} of the codec is ${value}: give a number from 1`)
  }
  const tooDeep = () => new CodecError(`JSON is nested deeper than ${maxDepth}: raise maxDepth`)
  // the same limits for both ways, so that what is written can be read
  return Object.freeze({
    contentType: 'application/json',
    encode(data: unknown): Uint8Array {
      const text = write(data)
      if (isDeeper(text, maxDepth)) throw tooDeep()
      // out of Node's pool: five times faster than an array of its own
      const body = Buffer.from(text)
      checkBodyBytes(body, maxBodyBytes)
      return body
    },
    decode(body: Uint8Array): unknown {
      checkBodyBytes(body, maxBodyBytes)
      // the parser's own error quotes the text, so it is not passed on: a payload must not reach a log
      try {
        const text = decoder.decode(body)
        if (!isDeeper(text, maxDepth)) return JSON.parse(text)
      } catch {
        throw new CodecError(`body of ${body.byteLength} bytes is not JSON in UTF-8`)
      }
      throw tooDeep()
    },
  })
}

/**
 * JSON in UTF-8, bodies of at most 16 MiB, nested at most 1,000 deep.
 * @throws {CodecError} for data that JSON has no form for, for bytes that aren't UTF-8, and for text that isn't JSON
 * @see https://www.rfc-editor.org/rfc/rfc8259
 */
export const json: Codec = jsonCodec()

/** @throws {CodecError} for a body over the limit */
export function checkBodyBytes({ byteLength }: Uint8Array, maxBodyBytes: number): void {
  if (byteLength <= maxBodyBytes) return
  throw new CodecError(`body of ${byteLength} bytes is over maxBodyBytes ${maxBodyBytes}: keep large data elsewhere`)
}

function write(data: unknown): string {
  let text: string | undefined
  try {
    text = JSON.stringify(data)
  } catch (error) {
    // its words may quote the data where a toJSON of the user's threw
    const kind = error instanceof Error ? error.name : typeof error
    throw new CodecError(`data can not be written as JSON (${kind}): use plain values without circles and BigInt`)
  }
  if (text === undefined) throw new CodecError(`a ${typeof data} can not be written as JSON: give an object`)
  return text
}

/** Each level takes one character to open and one to close, so that most texts need no look, and others a quick one. */
function isDeeper(text: string, maxDepth: number): boolean {
  if (text.length < 2 * maxDepth) return false
  let opened = 0
  for (const open of ['{', '[']) {
    for (let at = text.indexOf(open); at >= 0; at = text.indexOf(open, at + 1)) {
      if (++opened > maxDepth) return nestsDeeper(text, maxDepth)
    }
  }
  return false
}

/** By the brackets that stand in no string; those are leapt over. */
function nestsDeeper(text: string, maxDepth: number): boolean {
  let depth = 0
  for (let index = 0; index < text.length; index++) {
    const character = text.charCodeAt(index)
    if (character === 0x22) index = endOfString(text, index)
    // [ and { differ in one bit, as do ] and }
    else if ((character | 0x20) === 0x7b && ++depth > maxDepth) return true
    else if ((character | 0x20) === 0x7d) depth--
  }
  return false
}

/** Where the quote stands that ends the string, which is not behind an odd number of backslashes; or the end of the text. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let before = end
    while (text.charCodeAt(before - 1) === 0x5c) before--
    if ((end - before) % 2 === 0) return end
  }
  return text.length
}
