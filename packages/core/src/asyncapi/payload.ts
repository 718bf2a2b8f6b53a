import type { StandardJSONSchemaV1 } from '@standard-schema/spec'
import type { Codec } from '../codec.ts'
import { ConfigError } from '../errors.ts'
import type { Schema } from '../schema.ts'
import type { JsonSchema, MultiFormatSchema } from './document.ts'
import type { AsyncApiOptions } from './options.ts'

/** Whose payload is asked for, and what to call it in an error. */
export interface PayloadOf {
  readonly wireType: string
  readonly schema: Schema
  readonly codec: Codec
}

/**
 * The schema of a payload: the codec's own where it has one, else the JSON Schema of what travels.
 * @throws {ConfigError} where neither can be had
 */
export function payloadSchema(
  { wireType, schema, codec }: PayloadOf,
  { jsonSchema }: Pick<AsyncApiOptions, 'jsonSchema'>,
): MultiFormatSchema | { readonly json: JsonSchema } {
  if (codec.payloadSchema !== undefined) {
    return { schemaFormat: codec.payloadSchema.format, schema: codec.payloadSchema.schema }
  }
  if (!/^[^;]*[/+]json\b/i.test(codec.contentType)) {
    throw new ConfigError(
      `"${wireType}" travels as ${codec.contentType}, and its codec tells no schema: give the codec payloadSchema`,
    )
  }
  const { $schema: _, ...json } = convert(wireType, schema, jsonSchema)
  return { json }
}

function convert(
  wireType: string,
  schema: Schema,
  jsonSchema: AsyncApiOptions['jsonSchema'],
): Readonly<Record<string, unknown>> {
  const standard: Schema['~standard'] & Partial<StandardJSONSchemaV1.Props> = schema['~standard']
  if (jsonSchema === undefined && standard.jsonSchema === undefined) {
    throw new ConfigError(
      `no JSON Schema for "${wireType}": ${standard.vendor} offers none by itself; give asyncapi() the option jsonSchema, a function (schema) => JSON Schema`,
    )
  }
  try {
    // the Schema Object of AsyncAPI 3.0 is a superset of this draft
    return jsonSchema?.(schema) ?? standard.jsonSchema!.input({ target: 'draft-07' })
  } catch (cause) {
    throw new ConfigError(
      `no JSON Schema for "${wireType}": ${cause instanceof Error ? cause.message : String(cause)}; change its schema, or give asyncapi() the option jsonSchema`,
      { cause },
    )
  }
}
