import { connect } from 'node:net'
import { inspect } from 'node:util'
import { adapterSuite, createFaultProxy, type FaultProxy } from '@waybill/core/testing'
import type { Logger, Transport } from '@waybill/core'
import { Kafka } from 'kafkajs'
import { describe, it } from 'vitest'
import { clientConfig } from './connection.ts'
import { quietIdleTimers } from './idle-timer.ts'
import { kafka, type KafkaOptions } from './index.ts'
import { resolveOptions } from './options.ts'

const logLines: string[] = []
const log = (fields: object, text?: string) => void logLines.push(inspect(fields), text ?? '')
const logger: Logger = { debug: log, info: log, warn: log, error: log }

const broker = process.env.KAFKA_BROKERS!.split(',')[0]!
const proxies = new WeakMap<Transport, FaultProxy>()

/**
 * The adapter's own clients over a line of their own. Brokers tell clients where to go, past any proxy in between: so
 * the line is put under the sockets, not into `brokers`.
 */
function overLine(proxy: FaultProxy): NonNullable<KafkaOptions['client']> {
  const config = clientConfig(resolveOptions({ brokers: [broker], logger }))
  const client = () =>
    new Kafka({
      ...config,
      socketFactory({ host, port, onConnect }) {
        if (`${host}:${port}` !== broker) throw new Error(`there is a line to ${broker} only, not to ${host}:${port}`)
        return connect({ host: '127.0.0.1', port: proxy.port }, onConnect).setKeepAlive(true, 60_000)
      },
    })
  return {
    producer: (options) => client().producer(options),
    consumer: (options) => client().consumer(options as never),
    admin: (options) => client().admin(options),
  }
}

adapterSuite({
  name: 'kafka',
  async create() {
    await quietIdleTimers()
    const proxy = await createFaultProxy({ target: broker })
    const transport = kafka({ client: overLine(proxy), logger, heartbeatMs: 300, partitions: 3 })
    proxies.set(transport, proxy)
    const dispose = transport[Symbol.asyncDispose].bind(transport)
    transport[Symbol.asyncDispose] = async () => {
      await dispose()
      await proxy[Symbol.asyncDispose]()
    }
    return transport
  },
  // joining a group takes longer than the work of most cases
  concurrent: 6,
  hooks: {
    disconnect: (transport) => Promise.resolve(proxies.get(transport)!.reset()),
    async isolate(transport) {
      const proxy = proxies.get(transport)!
      proxy.refuse()
      proxy.reset()
      return () => proxy.heal()
    },
    misconfigured: () => [
      {
        what: 'a port where nobody listens',
        names: 'check brokers',
        create: () => kafka({ brokers: ['127.0.0.1:1'], connectTimeoutMs: 3_000, logger }),
      },
    ],
  },
  logLines,
  runner: { describe, it },
})
