import avsc from 'avsc'
import { checkBodyBytes, MAX_BODY_BYTES, type Codec, type CodecLimits } from '../codec.ts'
import type { Encoding } from '../encoding.ts'
import { CodecError, ConfigError } from '../errors.ts'
import { checkAvroBody, type AvroType } from './check-body.ts'

/** An Avro schema as JSON has it, or an avsc `Type` made of one. */
export type AvroSchema = string | object | readonly (string | object)[]

export interface AvroOptions extends CodecLimits {
  /** @default 'avro/binary' */
  readonly contentType?: string | undefined
}

/** What is used of an avsc `Type`. */
interface BinaryType extends AvroType {
  toBuffer(value: unknown): Buffer
  fromBuffer(buffer: Buffer): unknown
  schema(options: { readonly exportAttrs: boolean }): unknown
  isValid(value: unknown, options: { errorHook(path: string[], value: unknown, type: AvroType): void }): boolean
}

/**
 * An Avro schema as codec and schema; `Data` says what it looks like in TypeScript. Bytes are read with the schema they
 * are given here: for an older one's, `upcast: { 1: fromVersion(V1, …) }` knows its own. Framing for a schema registry is
 * not written; wrap the codec for that. Code for the schema is made at run time, as avsc does it.
 * @example defineEvent('rental.booked', { ...avro<RentalBooked>(bookedSchema), orderingKey: ({ skiId }) => skiId })
 * @throws {ConfigError} for what is no Avro schema
 * @see https://avro.apache.org/docs/1.12.0/specification/#binary-encoding
 */
export function avro<Data = unknown>(schema: AvroSchema, options: AvroOptions = {}): Encoding<Data> {
  const { contentType = 'avro/binary', maxBodyBytes = MAX_BODY_BYTES } = options
  const type = typeOf(schema)
  const name = type.name ?? type.typeName
  const codec: Codec = Object.freeze({
    contentType,
    payloadSchema: {
      format: 'application/vnd.apache.avro;version=1.9.0',
      schema: type.schema({ exportAttrs: true }),
    },
    encode(data: unknown): Uint8Array {
      let body: Uint8Array
      try {
        body = type.toBuffer(data)
      } catch {
        // its words quote the value
        throw new CodecError(`data is no ${name} in Avro: give what its schema says`)
      }
      checkBodyBytes(body, maxBodyBytes)
      return body
    },
    decode(body: Uint8Array): unknown {
      checkBodyBytes(body, maxBodyBytes)
      try {
        checkAvroBody(type, body)
        return type.fromBuffer(Buffer.from(body.buffer, body.byteOffset, body.byteLength))
      } catch {
        throw new CodecError(`body of ${body.byteLength} bytes is no ${name} in Avro`)
      }
    },
  })
  return Object.freeze({ codec, schema: schemaOf<Data>(type) })
}

function typeOf(schema: AvroSchema): BinaryType {
  // by shape: it may be of another installed copy
  if (typeof (schema as Partial<BinaryType>).fromBuffer === 'function') return schema as unknown as BinaryType
  try {
    return avsc.Type.forSchema(schema as Parameters<typeof avsc.Type.forSchema>[0]) as unknown as BinaryType
  } catch (cause) {
    throw new ConfigError(`that is no Avro schema: ${(cause as Error).message}`, { cause })
  }
}

function schemaOf<Data>(type: BinaryType): Encoding<Data>['schema'] {
  return Object.freeze({
    '~standard': Object.freeze({
      version: 1 as const,
      vendor: 'waybill/avro',
      validate(value: unknown) {
        const issues: { readonly message: string; readonly path: readonly string[] }[] = []
        type.isValid(value, {
          errorHook: (path, _, { name, typeName }) =>
            void issues.push({ path: [...path], message: `must be ${name ?? typeName}` }),
        })
        return issues.length > 0 ? { issues } : { value: value as Data }
      },
    }),
  })
}
