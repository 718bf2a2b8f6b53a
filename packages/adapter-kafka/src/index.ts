export type { KafkaClient, KafkaOptions, KafkaSasl } from './options.ts'
export { kafka } from './transport.ts'
