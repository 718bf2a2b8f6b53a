import { amqp } from '@waybill/adapter-amqp'
import { runConsumer } from '@waybill/core/testing'

runConsumer({ create: () => amqp({ url: process.env.BROKER_URL, heartbeatMs: Number(process.env.HEARTBEAT_MS) }) })
