import { adapterSuite } from '@waybill/core/testing'
import type { Transport } from '@waybill/core'
import { afterAll, describe, it } from 'vitest'
import { amqp } from './index.ts'
import { tcpProxy } from './tcp-proxy.ts'
import type { TcpProxy } from './tcp-proxy.ts'

const proxies = new Map<Transport, TcpProxy>()

adapterSuite({
  name: 'amqp',
  async create() {
    const proxy = await tcpProxy(process.env.AMQP_URL!)
    const transport = amqp({ url: proxy.url })
    proxies.set(transport, proxy)
    return transport
  },
  hooks: {
    disconnect: (transport) => Promise.resolve(proxies.get(transport)!.cut()),
  },
  runner: { describe, it },
})

afterAll(async () => {
  for (const proxy of proxies.values()) await proxy[Symbol.asyncDispose]()
})
