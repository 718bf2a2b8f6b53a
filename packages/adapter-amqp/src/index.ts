export { amqp } from './transport.ts'
export {
  recordDefinitions,
  type DefinitionsRecorder,
  type RabbitMqDefinitions,
  type RecordOptions,
} from './definitions.ts'
export { moveShards, type MoveProgress, type ShardMove } from './move-shards.ts'
export { AMQP_DEFAULTS, type AmqpOptions, type AmqpTlsOptions, type OwnBinding } from './options.ts'
export type { AmqpChannel, AmqpConfirmChannel, AmqpConnection, AmqpMessage, AmqpProperties } from './client.ts'
