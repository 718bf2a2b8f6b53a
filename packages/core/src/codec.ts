import { CodecError } from './errors.ts'

/** Turns data into bytes and back. `decode` throws `CodecError` for bytes that aren't what the content type says. */
export interface Codec {
  readonly contentType: string
  /** The payload's own schema, for documents: AsyncAPI's `schemaFormat` and the schema. JSON has none, it stands on the definition's. */
  readonly payloadSchema?: { readonly format: string; readonly schema: unknown } | undefined
  encode(data: unknown): Uint8Array
  decode(body: Uint8Array): unknown
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * JSON in UTF-8.
 * @throws {CodecError} for data that JSON has no form for, for bytes that aren't UTF-8, and for text that isn't JSON
 * @see https://www.rfc-editor.org/rfc/rfc8259
 */
export const json: Codec = Object.freeze({
  contentType: 'application/json',
  encode(data: unknown): Uint8Array {
    let text: string | undefined
    try {
      text = JSON.stringify(data)
    } catch (cause) {
      throw new CodecError('data can not be written as JSON: use plain values without circles and BigInt', { cause })
    }
    if (text === undefined) throw new CodecError(`a ${typeof data} can not be written as JSON: give an object`)
    return encoder.encode(text)
  },
  decode(body: Uint8Array): unknown {
    // the parser's own error quotes the text, so it is not passed on: a payload must not reach a log
    try {
      return JSON.parse(decoder.decode(body))
    } catch {
      throw new CodecError(`body of ${body.byteLength} bytes is not JSON in UTF-8`)
    }
  },
})
