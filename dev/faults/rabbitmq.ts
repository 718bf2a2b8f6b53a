import { setTimeout as pause } from 'node:timers/promises'
import { amqp } from '@waybill/adapter-amqp'
import { createFaultProxy, type SuiteHooks } from '@waybill/core/testing'
import { startRabbitMq, type RabbitMqVersion } from '../servers/index.ts'
import { processOf, type FaultRig } from './rig.ts'

const HEARTBEAT_MS = 2_000
/** A quorum queue younger than this loses all when its only node is killed. @see https://www.rabbitmq.com/docs/quorum-queues */
const YOUNG_QUEUE_MS = 5_000
/**
 * What expired while the broker was away may come three minutes after it is back: a wait queue finds no exchange yet, and
 * tries again after `dead_letter_worker_publisher_confirm_timeout`.
 */
const LATE_AFTER_RESTART_MS = 200_000
const ENOUGH_MEMORY = '0.6'

/** What an acknowledgement of a message that was never delivered does: the broker closes that channel, and it alone. */
const BAD_ACK = `[gen_server2:cast(P, {method, {'basic.ack', 987654321, false}, none, noflow}) || P <- rabbit_channel:list()].`

/** The RabbitMQ adapter on a RabbitMQ of its own. */
export async function rabbitMqRig(version?: RabbitMqVersion): Promise<FaultRig> {
  const server = await startRabbitMq({ direct: true, version })
  const settings = { heartbeatMs: HEARTBEAT_MS, reconnectMs: { first: 100, max: 2_000 } }
  const hooks: SuiteHooks = {
    broker: {
      restart: () => server.restart(),
      async kill() {
        await pause(YOUNG_QUEUE_MS)
        await server.kill()
      },
      pause: () => server.freeze(),
      resume: () => server.resume(),
    },
    alarm: {
      block: async () => void (await server.control('set_vm_memory_high_watermark', '0.0000001')),
      unblock: async () => void (await server.control('set_vm_memory_high_watermark', ENOUGH_MEMORY)),
    },
    credentials: {
      async revoke() {
        await server.control('change_password', 'guest', 'another')
        await server.control('close_all_connections', 'the password was changed')
      },
      restore: async () => void (await server.control('change_password', 'guest', 'guest')),
    },
    process: processOf('amqp-consumer.ts', {
      environment: { BROKER_URL: server.url, HEARTBEAT_MS: String(HEARTBEAT_MS) },
      takeoverMs: 3 * HEARTBEAT_MS,
    }),
    async proxied() {
      const proxy = await createFaultProxy({ target: server.url })
      const transport = amqp({ url: proxy.url, ...settings })
      // one to publish, one to consume
      return { proxy, transport, detectsWithinMs: 2 * HEARTBEAT_MS + 1_000, maxConnections: 2 }
    },
    closeChannels: async () => void (await server.control('eval', BAD_ACK)),
    deleteSource: async ({ name }) => void (await server.control('delete_queue', name)),
  }
  return {
    suite: {
      name: `amqp on RabbitMQ ${version ?? '4.0'}`,
      create: () => amqp({ url: server.url, ...settings }),
      hooks,
      idleTimeoutMs: LATE_AFTER_RESTART_MS,
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}
