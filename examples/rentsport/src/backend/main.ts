import { processLogger } from '../log.ts'
import { runChild } from '../supervisor/run-child.ts'
import { startBackend } from './start.ts'

/** The backend as a process of its own. The supervisor gives it DATABASE_URL, GATEWAY_ADDRESS, HOST and GRPC_PORT. */
await runChild(() => {
  const { DATABASE_URL, GATEWAY_ADDRESS, AMQP_URL, KAFKA_BROKERS, HOST, GRPC_PORT } = process.env
  if (!DATABASE_URL || !GATEWAY_ADDRESS) throw new Error('DATABASE_URL and GATEWAY_ADDRESS are needed: run main.ts')
  return startBackend({
    databaseUrl: DATABASE_URL,
    gatewayAddress: GATEWAY_ADDRESS,
    host: HOST || '127.0.0.1',
    grpcPort: Number(GRPC_PORT || 50_051),
    amqpUrl: AMQP_URL || undefined,
    kafkaBrokers: KAFKA_BROKERS ? KAFKA_BROKERS.split(',').map((broker) => broker.trim()) : undefined,
    logger: processLogger('backend'),
  })
})
