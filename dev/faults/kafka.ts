import type { SuiteHooks } from '@waybill/core/testing'
import { kafka } from '@waybill/adapter-kafka'
import { startKafka } from '../servers/index.ts'
import { processOf, type FaultRig } from './rig.ts'

const HEARTBEAT_MS = 300
/** The least that a broker takes. */
const SESSION_MS = 6_000

/** The Kafka adapter on a Kafka of its own, of one node. */
export async function kafkaRig(): Promise<FaultRig> {
  const server = await startKafka({ direct: true })
  const hooks: SuiteHooks = {
    broker: {
      restart: () => server.restart(),
      kill: () => server.kill(),
      pause: () => server.freeze(),
      resume: () => server.resume(),
    },
    process: processOf('kafka-consumer.ts', {
      environment: { BROKER_URL: server.url, HEARTBEAT_MS: String(HEARTBEAT_MS), SESSION_MS: String(SESSION_MS) },
      takeoverMs: SESSION_MS,
    }),
  }
  return {
    suite: {
      name: 'kafka',
      create: () =>
        kafka({ brokers: [server.url], heartbeatMs: HEARTBEAT_MS, sessionTimeoutMs: SESSION_MS, partitions: 3 }),
      hooks,
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}
