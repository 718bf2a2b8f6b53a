import { randomUUID } from 'node:crypto'
import { createBus, defineEvent, defineRequest, fromVersion, on, respond } from '@waybill/core'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { amqp } from './index.ts'

test('an older version reaches the route that upcasts it, event and request alike, over RabbitMQ', async () => {
  const name = `versions-${randomUUID().slice(0, 8)}`
  const schema = z.object({ n: z.number() })
  const Old = defineEvent(`${name}.event`, { schema })
  const New = defineEvent(`${name}.event`, {
    schema,
    version: 2,
    upcast: { 1: fromVersion(Old, ({ n }) => ({ n: n * 10 })) },
  })
  const OldAsk = defineRequest(`${name}.ask`, { schema, reply: schema })
  const NewAsk = defineRequest(`${name}.ask`, {
    schema,
    reply: schema,
    version: 2,
    upcast: { 1: fromVersion(OldAsk, ({ n }) => ({ n: n * 10 })) },
    downcast: { 1: ({ n }) => ({ n: n / 10 }) },
  })
  await using bus = createBus({ transport: amqp({ url: process.env.AMQP_URL! }), source: '/versions' })
  const seen: unknown[] = []
  await bus.subscribe(name, [
    on(New, ({ n }, { message }) => void seen.push([message.version, n])),
    respond(NewAsk, ({ n }) => ({ n: n + 10 })),
  ])
  await bus.publish(Old, { n: 1 })
  await bus.publish(New, { n: 2 })
  expect(await bus.request(OldAsk, { n: 1 }, { timeoutMs: 10_000 })).toEqual({ n: 2 })
  expect(await bus.request(NewAsk, { n: 1 }, { timeoutMs: 10_000 })).toEqual({ n: 11 })
  await expect
    .poll(() => [...seen].sort(), { timeout: 15_000 })
    .toEqual([
      [1, 10],
      [2, 2],
    ])
})
