import { kafka } from '@waybill/adapter-kafka'
import { runConsumer } from '@waybill/core/testing'

const { BROKER_URL, HEARTBEAT_MS, SESSION_MS } = process.env
runConsumer({
  create: () =>
    kafka({
      brokers: [BROKER_URL!],
      heartbeatMs: Number(HEARTBEAT_MS),
      sessionTimeoutMs: Number(SESSION_MS),
      partitions: 3,
    }),
})
