export type { Encoding } from '../encoding.ts'
export { avro, type AvroOptions, type AvroSchema } from './avro.ts'
