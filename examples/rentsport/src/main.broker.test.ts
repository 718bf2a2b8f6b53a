import { connect, type ConsumeMessage } from 'amqplib'
import { Kafka, logLevel, type KafkaMessage } from 'kafkajs'
import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { eventually, runRentSport, type RunningRentSport } from './test-rentsport.ts'
import {
  everythingHandledOnce,
  killInTheMiddleOfTen,
  availabilityGathered,
  quoteAnswered,
  rent,
  statusesLive,
  stopsCleanly,
} from './test-scenario.ts'

/** A rental of a day is over in less than a second. */
const CLOCK_SPEED = '100000'
const AMQP_URL = process.env.AMQP_URL!
const KAFKA_BROKERS = process.env.KAFKA_BROKERS!

test('over RabbitMQ and Kafka: the same, and others read the contracts with their own clients', async () => {
  await using system = await runRentSport({ CLOCK_SPEED, AMQP_URL, KAFKA_BROKERS })
  await contractsOnTheWire(system)
  await foreignNotifications(system)
  await quoteAnswered(system)
  await availabilityGathered(system)
  await statusesLive(system)
  await killInTheMiddleOfTen(system)
  await everythingHandledOnce(system)
  await stopsCleanly(system)
}, 180_000)

/** One expiry, read by clients that know nothing of Waybill. */
async function contractsOnTheWire(system: RunningRentSport): Promise<void> {
  await using rabbit = await tapExchange('notifications/status', 'renter.RENTAL_EXPIRED')
  await using kafka = await tapTopic('rentsport.rentals')
  const rental = await rent(system)
  const rows = await eventually('the rental expired', async () => {
    const found = await system.rows<{ xid: string; transport: string; message_id: string; body_text: string }>(
      `select xid::text, transport, message_id, body_text from waybill.outbox where xid in (select xid from waybill.outbox
         where type = 'rental.expired' and body_text::jsonb ->> 'rental_id' = $1) order by id`,
      [String(rental.id)],
    )
    return found.length >= 2 && found
  })
  expect(rows.map(({ transport }) => transport)).toEqual(['amqp', 'kafka'])
  expect(new Set(rows.map(({ xid }) => xid)).size).toBe(1)

  const notification = await eventually('RabbitMQ has it', () =>
    Promise.resolve(rabbit.messages.find(({ properties }) => properties.messageId === rows[0]!.message_id)),
  )
  expect(notification.properties.contentType).toBe('application/json')
  expect(JSON.parse(notification.content.toString())).toEqual({
    type: 'RENTAL_EXPIRED',
    inventory_id: 1,
    user_id: 1,
    message: expect.any(String) as string,
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/) as string,
  })
  const event = await eventually('Kafka has it', () =>
    Promise.resolve(kafka.messages.find(({ headers }) => text(headers?.ce_id) === rows[1]!.message_id)),
  )
  expect(text(event.key)).toBe(String(rental.id))
  expect([text(event.headers?.ce_type), text(event.headers?.ce_specversion)]).toEqual(['rental.expired', '1.0'])
  expect(text(event.headers?.ce_source)).not.toBe('')
  expect(JSON.parse(text(event.value))).toMatchObject({ rental_id: rental.id, equipment_id: 1, user_id: 1 })
}

/** Plain JSON of another producer is delivered; what breaks the schema is parked, and says why. */
async function foreignNotifications(system: RunningRentSport): Promise<void> {
  const connection = await connect(AMQP_URL)
  const channel = await connection.createConfirmChannel()
  const userId = 1_000_000 + Math.trunc(Math.random() * 1e9)
  const send = (routingKey: string, body: object) =>
    channel.publish('notifications/status', routingKey, Buffer.from(JSON.stringify(body)), {
      contentType: 'application/json',
    })
  const whole = { inventory_id: 7, user_id: userId, message: 'Please come', timestamp: '2026-03-01T10:00:00+03:00' }
  send('owner.MAINTENANCE_REQUIRED', { type: 'MAINTENANCE_REQUIRED', ...whole })
  const { message: _, ...withoutMessage } = whole
  const before = (await system.get<unknown[]>('/api/parked')).length
  send('renter.RENTAL_EXPIRED', { type: 'RENTAL_EXPIRED', ...withoutMessage })
  await channel.waitForConfirms()
  await connection.close()
  const delivered = await eventually('the foreign notification is delivered', async () => {
    const list = await system.get<{ message: string; inventory_id: number }[]>(`/api/notifications?user_id=${userId}`)
    return list.length > 0 && list
  })
  expect(delivered).toMatchObject([{ message: 'Please come', inventory_id: 7 }])
  const parked = await eventually('the broken one is parked', async () => {
    const list = await system.get<{ reason: string; service: string }[]>('/api/parked')
    return list.length > before && list
  })
  expect(parked.find(({ service }) => service === 'notifications.renter')?.reason).toMatch(/message/)
  await system.rows('delete from waybill.parked')
}

async function tapExchange(exchange: string, routingKey: string) {
  const connection = await connect(AMQP_URL)
  const channel = await connection.createChannel()
  const { queue } = await channel.assertQueue('', { exclusive: true })
  await channel.bindQueue(queue, exchange, routingKey)
  const messages: ConsumeMessage[] = []
  await channel.consume(queue, (message) => void (message && messages.push(message)), { noAck: true })
  return { messages, [Symbol.asyncDispose]: () => connection.close() }
}

async function tapTopic(topic: string) {
  const kafka = new Kafka({ brokers: KAFKA_BROKERS.split(','), logLevel: logLevel.NOTHING })
  const consumer = kafka.consumer({ groupId: `tap-${randomUUID()}` })
  const messages: KafkaMessage[] = []
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve))
  await consumer.run({ eachMessage: ({ message }) => Promise.resolve(void messages.push(message)) })
  await joined
  return { messages, [Symbol.asyncDispose]: () => consumer.disconnect() }
}

function text(value: KafkaMessage['key'] | (Buffer | string)[] | string | undefined): string {
  return Array.isArray(value) ? String(value[0]) : String(value ?? '')
}
