import { randomUUID } from 'node:crypto'
import { amqp } from '@waybill/adapter-amqp'
import { kafka } from '@waybill/adapter-kafka'
import { bridge, createBus, forward, on, type Context } from '@waybill/core'
import { expect, test } from 'vitest'
import { Booked, BookedForReports } from './bridge.ts'

const brokers = process.env.KAFKA_BROKERS!.split(',')
const rabbit = () => amqp({ url: process.env.AMQP_URL! })

test('JSON on RabbitMQ goes over to Kafka as Avro: keys in order, attributes, headers and trace kept', async () => {
  const name = `bridge-${randomUUID().slice(0, 8)}`
  const near = Object.freeze({ ...Booked, destination: { kind: 'topic' as const, name } })
  const far = Object.freeze({ ...BookedForReports, destination: { kind: 'topic' as const, name: `${name}.avro` } })
  await using shop = createBus({ transport: rabbit(), source: '/shop' })
  await using reports = createBus({ transport: kafka({ brokers, partitions: 2 }), source: '/reports' })
  const seen: { readonly days: number; readonly skiId: string; readonly message: Context['message'] }[] = []
  await reports.subscribe(`${name}-reports`, [
    on(far, ({ skiId, days }, { message }) => void seen.push({ skiId, days, message })),
  ])
  const routes = [forward(near, { to: far })]
  const open = () => bridge({ name, from: rabbit(), to: kafka({ brokers, partitions: 2 }), routes })
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const ids: string[] = []
  const publish = async (from: number, to: number) => {
    for (let days = from; days < to; days++) {
      const data = { rentalId: `r-${days}`, skiId: `s-${days % 3}`, days }
      const options = { headers: { traceparent, mine: 'x' }, correlationId: `c-${days}`, ttlMs: 600_000 }
      ids.push(await shop.publish(near, data, options))
    }
  }
  let running = await open()
  await publish(0, 20)
  await expect.poll(() => seen.length, { timeout: 20_000 }).toBeGreaterThanOrEqual(10)
  // another instance takes over in the middle: what was not acked comes again, with the same id
  await running.stop({ drainTimeoutMs: 0 })
  await publish(20, 40)
  running = await open()
  await using _ = running
  await expect.poll(() => new Set(seen.map(({ message }) => message.id)).size, { timeout: 30_000 }).toBe(40)
  expect(new Set(seen.map(({ message }) => message.id))).toEqual(new Set(ids))
  for (const key of ['s-0', 's-1', 's-2']) {
    const first = [...new Set(seen.filter(({ skiId }) => skiId === key).map(({ days }) => days))]
    expect(first).toEqual([...first].sort((one, other) => one - other))
  }
  const { message } = seen[0]!
  expect(message).toMatchObject({
    type: 'reports.rental-booked',
    source: '/shop',
    orderingKey: seen[0]!.skiId,
    correlationId: `c-${seen[0]!.days}`,
    headers: { traceparent, mine: 'x' },
    attributes: { bridges: name },
  })
  expect(Date.parse(message.time!)).toBeLessThanOrEqual(Date.now())
})
