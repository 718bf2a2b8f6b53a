import {
  create,
  fromBinary,
  isMessage,
  toBinary,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf'
import { checkBodyBytes, MAX_BODY_BYTES, type Codec, type CodecLimits } from '../codec.ts'
import type { Encoding } from '../encoding.ts'
import { CodecError } from '../errors.ts'
import { misfit } from './misfit.ts'

export interface ProtobufOptions extends CodecLimits {
  /** Where others write another one, such as `application/x-protobuf`. @default 'application/protobuf' */
  readonly contentType?: string | undefined
  /** The text of the `.proto` file, for AsyncAPI documents: it can't be had from the generated code. */
  readonly proto?: string | undefined
}

/** Only this much of the library's words is told: the rest may quote the value. */
const FIELD = /^cannot encode field ([\w.]+) to binary/

/**
 * A message type of `protoc-gen-es` as codec and schema. A sender gives what `create` takes, a handler gets the message;
 * fields that this version does not know are kept. Messages are nested at most 100 deep, as everywhere in protobuf.
 * Framing for a schema registry is not written; wrap the codec for that.
 * @example defineEvent('rental.booked', { ...protobuf(RentalBookedSchema), orderingKey: ({ skiId }) => skiId })
 * @throws {CodecError} from encode and decode: a field that has no form on the wire, or bytes that are no such message
 * @see https://protobuf.dev/programming-guides/encoding/
 */
export function protobuf<Desc extends DescMessage>(
  message: Desc,
  options: ProtobufOptions = {},
): Encoding<MessageInitShape<Desc>, MessageShape<Desc>> {
  const { contentType = 'application/protobuf', maxBodyBytes = MAX_BODY_BYTES, proto } = options
  const codec: Codec = Object.freeze({
    contentType,
    ...(proto !== undefined && {
      payloadSchema: { format: 'application/vnd.google.protobuf;version=3', schema: proto },
    }),
    encode(data: unknown): Uint8Array {
      let body: Uint8Array
      let wrong: string | undefined
      try {
        const given = isMessage(data, message) ? data : create(message, data as MessageInitShape<Desc>)
        wrong = misfit(message, given)
        body = toBinary(message, given)
      } catch (error) {
        wrong ??= FIELD.exec((error as Error).message)?.[1] ?? message.typeName
      }
      if (wrong !== undefined) throw new CodecError(`data does not fit the protobuf type of ${wrong}`)
      checkBodyBytes(body!, maxBodyBytes)
      return body!
    },
    decode(body: Uint8Array): MessageShape<Desc> {
      checkBodyBytes(body, maxBodyBytes)
      try {
        return fromBinary(message, body)
      } catch {
        throw new CodecError(`body of ${body.byteLength} bytes is no ${message.typeName} in protobuf`)
      }
    },
  })
  return Object.freeze({ codec, schema: schemaOf(message) })
}

/** The codec checks each field; what is left to say is whether it is an object at all, and of this type. */
function schemaOf<Desc extends DescMessage>(
  message: Desc,
): Encoding<MessageInitShape<Desc>, MessageShape<Desc>>['schema'] {
  const refuse = (text: string) => ({ issues: [{ message: text }] })
  return Object.freeze({
    '~standard': Object.freeze({
      version: 1 as const,
      vendor: 'waybill/protobuf',
      validate(value: unknown) {
        if (isMessage(value, message)) return { value }
        if (typeof value !== 'object' || value === null || Array.isArray(value)) return refuse('must be an object')
        if (isMessage(value)) return refuse(`must be a ${message.typeName}`)
        try {
          return { value: create(message, value as MessageInitShape<Desc>) }
        } catch {
          return refuse(`must be what create(${message.name}Schema) takes`)
        }
      },
    }),
  })
}
