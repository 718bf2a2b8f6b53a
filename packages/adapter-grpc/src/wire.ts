import { CodecError, PublishError, validate, type InferInput, type InferOutput, type Schema } from '@waybill/core'

/** Turns one kind of message into bytes and back; the schema is asked on both sides. */
export interface MessageWire<S extends Schema = Schema> {
  readonly what: string
  /**
   * @throws {ValidationError} the schema said no
   * @throws {CodecError} the message does not fit its protobuf type
   * @throws {PublishError} bigger than `maxMessageBytes`
   */
  write(message: InferInput<S>, maxMessageBytes: number): Uint8Array | Promise<Uint8Array>
  /**
   * The message without its schema's judgement.
   * @throws {CodecError} bytes that are not this message
   */
  parse(bytes: Uint8Array): unknown
  /** @throws {ValidationError} the schema said no */
  check(message: unknown): InferOutput<S> | Promise<InferOutput<S>>
}

interface WireParts<S extends Schema> {
  readonly what: string
  readonly schema: S
  serialize(message: object): Uint8Array
  deserialize(bytes: Buffer): object
}

export function messageWire<S extends Schema>({ what, schema, serialize, deserialize }: WireParts<S>): MessageWire<S> {
  // What travels is the schema's input side, so the checked value is only judged, not sent.
  const toBytes = (message: unknown, maxMessageBytes: number): Uint8Array => {
    const bytes = attempt(`${what} does not fit its protobuf type`, () => serialize(message as object))
    if (bytes.byteLength <= maxMessageBytes) return bytes
    throw new PublishError(
      `${what} is ${bytes.byteLength} bytes, larger than ${maxMessageBytes}: send less, or raise maxMessageBytes on both sides`,
      { scope: 'message', retryable: false },
    )
  }
  return Object.freeze({
    what,
    write(message: InferInput<S>, maxMessageBytes: number) {
      const checked = validate(schema, message, what)
      if (checked instanceof Promise) return checked.then(() => toBytes(message, maxMessageBytes))
      return toBytes(message, maxMessageBytes)
    },
    parse: (bytes: Uint8Array) => attempt(`${what} is not readable protobuf`, () => deserialize(bytes as Buffer)),
    check: (message: unknown) => validate(schema, message, what),
  })
}

function attempt<R>(text: string, work: () => R): R {
  try {
    return work()
  } catch (cause) {
    throw new CodecError(`${text}: does the other side use the same .proto?`, { cause })
  }
}
