import { randomUUID } from 'node:crypto'
import type { Transport, WireMessage } from '@waybill/core'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { startKafka, type Server } from '../../../dev/servers/index.ts'
import { kafka } from './index.ts'

let server: Server
beforeAll(async () => {
  server = await startKafka()
}, 60_000)
afterAll(() => server[Symbol.asyncDispose]())

const message = (topic: string, number: number): WireMessage => ({
  id: String(number),
  type: 'counted',
  destination: { kind: 'topic', name: topic },
  contentType: 'text/plain',
  body: Buffer.from(String(number)),
  attributes: {},
  headers: {},
  orderingKey: `k${number % 5}`,
})

async function begin(topic: string) {
  const transport = kafka({ brokers: [server.url], heartbeatMs: 300, sessionTimeoutMs: 6_000, requestTimeoutMs: 2_000 })
  const seen = new Set<string>()
  await transport.subscribe(
    {
      service: `s-${topic}`,
      sources: [{ kind: 'topic', name: topic }],
      mode: 'ordered',
      ackBefore: false,
      maxOpen: 64,
      maxOpenBytes: 1e7,
      start: 'earliest',
    },
    ({ message: { id } }) => {
      seen.add(id)
      return Promise.resolve({ outcome: 'ack' })
    },
  )
  return { transport, seen }
}

/** Publishes as an outbox does: what was rejected is sent again, until everything is confirmed. */
async function publishAll(transport: Transport, topic: string, from: number, count: number): Promise<void> {
  let left = Array.from({ length: count }, (_, index) => from + index)
  while (left.length > 0) {
    const results = await Promise.allSettled(
      transport.publish(
        left.map((number) => message(topic, number)),
        { timeoutMs: 3_000 },
      ),
    )
    left = left.filter((_, index) => results[index]!.status === 'rejected')
  }
}

test('after the broker was killed and came back, the same transport publishes and consumes on, without loss', async () => {
  const topic = `killed-${randomUUID()}`
  const { transport, seen } = await begin(topic)
  await publishAll(transport, topic, 0, 50)
  await vi.waitFor(() => expect(seen.size).toBe(50), 10_000)
  await server.kill()
  const sent = publishAll(transport, topic, 50, 100)
  const down = await transport.health({ timeoutMs: 1_000 })
  expect(down.find(({ part }) => part === 'kafka brokers')?.state).toBe('down')
  await server.restart()
  await sent
  await vi.waitFor(() => expect(seen.size).toBe(150), { timeout: 40_000, interval: 50 })
  await vi.waitFor(
    async () => expect((await transport.health()).map(({ state }) => state)).toEqual(['up', 'up', 'up']),
    {
      timeout: 10_000,
      interval: 100,
    },
  )
  await transport[Symbol.asyncDispose]()
}, 90_000)

test('a line that swallows everything for longer than the session costs duplicates at most', async () => {
  const topic = `cut-${randomUUID()}`
  const { transport, seen } = await begin(topic)
  await publishAll(transport, topic, 0, 50)
  await server.cutOff({ silent: true })
  const sent = publishAll(transport, topic, 50, 100)
  await vi.waitFor(
    async () => {
      const health = await transport.health({ timeoutMs: 500 })
      expect(health.find(({ part }) => part.startsWith('kafka service'))?.state).toBe('down')
    },
    { timeout: 40_000, interval: 250 },
  )
  await server.reconnect()
  await sent
  await vi.waitFor(() => expect(seen.size).toBe(150), { timeout: 40_000, interval: 50 })
  await transport[Symbol.asyncDispose]()
}, 120_000)
