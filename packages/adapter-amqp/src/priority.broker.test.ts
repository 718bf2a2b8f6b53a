import { randomUUID } from 'node:crypto'
import { createBus, defineCommand, on, PublishError } from '@waybill/core'
import { connect } from 'amqplib'
import { expect, it, vi } from 'vitest'
import { z } from 'zod'
import { amqp } from './index.ts'

const url = process.env.AMQP_URL!
const schema = z.object({ n: z.number() })

it('hands over what is urgent before what came earlier, and the rest in between', async () => {
  const queue = `urgent-${randomUUID().slice(0, 8)}`
  const Do = defineCommand(queue, { schema })
  const service = `${queue}.service`
  await using transport = amqp({ url })
  const sources = [{ kind: 'queue', name: queue }] as const
  await transport.declare!({ destinations: [], subscriptions: [{ service, sources, mode: 'compete' }] })
  await using bus = createBus({ transport, source: '/urgent' })
  for (let n = 0; n < 10; n++) await bus.send(Do, { n }, n < 5 ? {} : { priority: 9 })
  const seen: number[] = []
  await bus.subscribe(service, [on(Do, ({ n }) => void seen.push(n))])
  await vi.waitFor(() => expect(seen).toHaveLength(10), { timeout: 20_000 })
  expect(seen[0]).toBe(5)
  const place = (n: number) => seen.indexOf(n)
  expect(Math.max(...[5, 6, 7, 8, 9].map(place))).toBeLessThan(Math.max(...[0, 1, 2, 3, 4].map(place)))
  // nobody starves
  expect(place(0)).toBeLessThan(place(9))
})

it('refuses what is no priority, and keeps one that a copy of a foreign message carries', async () => {
  const queue = `urgent-${randomUUID().slice(0, 8)}`
  const service = `${queue}.service`
  await using transport = amqp({ url })
  let tries = 0
  const seen: (number | undefined)[] = []
  const options = { ackBefore: false, start: 'earliest', maxOpen: 10, maxOpenBytes: 1e6 } as const
  await transport.subscribe(
    { ...options, service, sources: [{ kind: 'queue', name: queue }], mode: 'compete' },
    ({ message }) => {
      seen.push(message.priority)
      return Promise.resolve(tries++ === 0 ? { outcome: 'requeue', delayMs: 0, notes: {} } : { outcome: 'ack' })
    },
  )
  const connection = await connect(url)
  const channel = await connection.createConfirmChannel()
  channel.sendToQueue(queue, Buffer.from('{}'), { priority: 7 })
  await channel.waitForConfirms()
  await connection.close()
  await vi.waitFor(() => expect(seen).toEqual([7, 7]), { timeout: 20_000 })
  await using bus = createBus({ transport, source: '/urgent' })
  const refused = bus.send(defineCommand(queue, { schema }), { n: 1 }, { priority: 256 })
  await expect(refused).rejects.toThrow(/priority 256: give a whole number from 0 to 255/)
  await expect(refused).rejects.toBeInstanceOf(PublishError)
})
