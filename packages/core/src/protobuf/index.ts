export type { Encoding } from '../encoding.ts'
export { protobuf, type ProtobufOptions } from './protobuf.ts'
