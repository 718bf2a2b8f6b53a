import { inspect } from 'node:util'
import { adapterSuite, createFaultProxy, type FaultProxy, type Misconfigured } from '@waybill/core/testing'
import type { Logger, Transport } from '@waybill/core'
import { describe, it } from 'vitest'
import { amqp } from './index.ts'

const PASSWORD = 'wrong:pass@word/%'
const logLines: string[] = []
const log = (fields: object, text?: string) => void logLines.push(inspect(fields), text ?? '')
const logger: Logger = { debug: log, info: log, warn: log, error: log }

const proxies = new WeakMap<Transport, FaultProxy>()

adapterSuite({
  name: 'amqp',
  async create() {
    const proxy = await createFaultProxy({ target: process.env.AMQP_URL! })
    const transport = amqp({ url: proxy.url, logger })
    proxies.set(transport, proxy)
    const dispose = transport[Symbol.asyncDispose].bind(transport)
    transport[Symbol.asyncDispose] = async () => {
      await dispose()
      await proxy[Symbol.asyncDispose]()
    }
    return transport
  },
  hooks: {
    disconnect: (transport) => Promise.resolve(proxies.get(transport)!.reset()),
    async isolate(transport) {
      const proxy = proxies.get(transport)!
      proxy.refuse()
      proxy.reset()
      return () => proxy.heal()
    },
    misconfigured: () => [
      wrong('a port where nobody listens', /127\.0\.0\.1:1\//, (url) => (url.port = '1')),
      wrong('a wrong password', 'password of url', (url) => (url.password = encodeURIComponent(PASSWORD))),
      wrong('a vhost that is not there', 'vhost', (url) => (url.pathname = '/nowhere')),
    ],
  },
  secrets: [PASSWORD],
  logLines,
  runner: { describe, it },
})

function wrong(what: string, names: string | RegExp, change: (url: URL) => void): Misconfigured {
  const url = new URL(process.env.AMQP_URL!)
  change(url)
  return { what, names, create: () => amqp({ url: url.toString(), connectTimeoutMs: 3_000, logger }) }
}
