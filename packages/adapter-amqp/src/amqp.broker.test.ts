import { adapterSuite, createFaultProxy, type FaultProxy } from '@waybill/core/testing'
import type { Transport } from '@waybill/core'
import { afterAll, describe, it } from 'vitest'
import { amqp } from './index.ts'

const proxies = new Map<Transport, FaultProxy>()

adapterSuite({
  name: 'amqp',
  async create() {
    const proxy = await createFaultProxy({ target: process.env.AMQP_URL! })
    const transport = amqp({ url: proxy.url })
    proxies.set(transport, proxy)
    return transport
  },
  hooks: {
    disconnect: (transport) => Promise.resolve(proxies.get(transport)!.reset()),
  },
  runner: { describe, it },
})

afterAll(async () => {
  for (const proxy of proxies.values()) await proxy[Symbol.asyncDispose]()
})
