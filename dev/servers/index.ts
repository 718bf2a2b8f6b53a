/**
 * Real servers for tests: each on free loopback ports with data of its own, ready when it is returned, gone on dispose
 * even if the process that started it is killed. Their logs stay in `.cache/logs`.
 */
export { startKafka } from './kafka.ts'
export { startPgBouncer, type PgBouncerOptions } from './pgbouncer.ts'
export { startPostgres } from './postgres.ts'
export { startRabbitMq, type RabbitMq, type RabbitMqOptions } from './rabbitmq.ts'
export { startRabbitMqCluster, type RabbitMqCluster } from './rabbitmq-cluster.ts'
export { rabbitMqVersion, type RabbitMqVersion } from './rabbitmq-files.ts'
export type { CutOff } from './proxy.ts'
export type { Server, ServerOptions } from './server.ts'
