import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Codec } from './codec.ts'

/**
 * A codec with the schema that goes with it, to be spread into a definition: `defineEvent('x', { ...protobuf(Foo) })`.
 * As the `reply` of a request it is given as it is.
 */
export interface Encoding<Input, Output = Input> {
  readonly schema: StandardSchemaV1<Input, Output>
  readonly codec: Codec
}
