import { randomUUID } from 'node:crypto'
import { PublishError, publishFault, type WireMessage } from '@waybill/core'
import { Kafka, logLevel, type Admin } from 'kafkajs'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { Connection } from './connection.ts'
import { kafka } from './index.ts'
import { resolveOptions } from './options.ts'
import { Sender } from './sender.ts'
import { Topology } from './topology.ts'

const brokers = process.env.KAFKA_BROKERS!.split(',')
let admin: Admin
beforeAll(async () => {
  admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
})
afterAll(() => admin.disconnect())

const message = (topic: string, number: number, bytes = 10, orderingKey?: string): WireMessage => ({
  id: String(number),
  type: 'counted',
  destination: { kind: 'topic', name: topic },
  contentType: 'text/plain',
  body: Buffer.alloc(bytes, 120),
  attributes: {},
  headers: {},
  ...(orderingKey !== undefined && { orderingKey }),
})
const stored = async (topic: string) =>
  (await admin.fetchTopicOffsets(topic)).reduce((sum, { high }) => sum + Number(high), 0)

async function topicOf(config: { partitions: number; maxBytes?: number }): Promise<string> {
  const topic = `publishes-${randomUUID()}`
  const configEntries = config.maxBytes ? [{ name: 'max.message.bytes', value: String(config.maxBytes) }] : []
  await admin.createTopics({
    topics: [{ topic, numPartitions: config.partitions, configEntries }],
    waitForLeaders: false,
  })
  return topic
}

test('a partition that does not exist, which kafkajs fulfils in silence, is refused', async () => {
  const topic = await topicOf({ partitions: 2 })
  const options = resolveOptions({ brokers })
  const connection = new Connection(options)
  const sender = new Sender(connection, new Topology(connection, options))
  const errors = new Map<number, unknown>()
  const record = { key: null, value: Buffer.from('x'), headers: {} }
  await sender.send(
    [0, 99].map((partition) => ({ topic, partition, record, lane: undefined })),
    ({ partition }, error) => errors.set(partition, error),
  )
  expect(errors.get(0)).toBeUndefined()
  expect(publishFault(errors.get(99))).toEqual({ scope: 'destination', retryable: true, mayExist: false })
  expect(await stored(topic)).toBe(1)
  await sender.close(1_000)
  await connection.close()
})

test('a record over the limit of its topic fails alone; the others are stored once, and so are the next ones', async () => {
  const topic = await topicOf({ partitions: 3, maxBytes: 2_000 })
  await using transport = kafka({ brokers })
  const keys = ['a', 'b', 'c', 'd', 'e', 'f']
  const first = keys.map((key, number) => message(topic, number, key === 'c' ? 5_000 : 10, key))
  const results = await Promise.allSettled(transport.publish(first))
  expect(results.map(({ status }) => status)).toEqual(keys.map((key) => (key === 'c' ? 'rejected' : 'fulfilled')))
  const { reason } = results[2] as PromiseRejectedResult
  expect(reason).toBeInstanceOf(PublishError)
  expect(publishFault(reason)).toEqual({ scope: 'message', retryable: false, mayExist: false })
  expect(await stored(topic)).toBe(5)
  // as many as before to each partition: reused sequence numbers would make the broker drop them as repeated
  await Promise.all(transport.publish(keys.map((key, number) => message(topic, number + 6, 10, key))))
  expect(await stored(topic)).toBe(11)
})

test('when one of a key fails, each later one of it fails too, and other keys go on', async () => {
  const topic = await topicOf({ partitions: 1, maxBytes: 2_000 })
  await using transport = kafka({ brokers })
  const results = await Promise.allSettled(
    transport.publish([
      message(topic, 0, 10, 'a'),
      message(topic, 1, 5_000, 'a'),
      message(topic, 2, 10, 'a'),
      message(topic, 3, 10, 'b'),
    ]),
  )
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled'])
  expect(publishFault((results[2] as PromiseRejectedResult).reason)).toMatchObject({ retryable: true, mayExist: false })
})

test('batches together over the limit of one are split, in order', async () => {
  const topic = await topicOf({ partitions: 1 })
  await using transport = kafka({ brokers })
  const numbers = Array.from({ length: 30 }, (_, number) => number)
  await Promise.all(transport.publish(numbers.map((number) => message(topic, number, 100_000, 'k'))))
  expect(await stored(topic)).toBe(30)
})

test('a missing topic is a fault of its destination, and holds up no other', async () => {
  const topic = await topicOf({ partitions: 1 })
  await using transport = kafka({ brokers, topology: 'existing' })
  const [missing, present] = await Promise.allSettled(transport.publish([message(`no-${topic}`, 0), message(topic, 1)]))
  expect(publishFault((missing as PromiseRejectedResult).reason)).toMatchObject({
    scope: 'destination',
    mayExist: false,
  })
  expect(present!.status).toBe('fulfilled')
})

test('a topic deleted after it was written to fails alone, and holds up no other, be it known or new', async () => {
  const [doomed, known, fresh] = await Promise.all([1, 2, 3].map(() => topicOf({ partitions: 1 })))
  await using transport = kafka({ brokers, topology: 'existing' })
  await Promise.all(transport.publish([message(doomed!, 0), message(known!, 1)]))
  await admin.deleteTopics({ topics: [doomed!] })
  const startMs = performance.now()
  await Promise.all(transport.publish([message(fresh!, 2)]))
  const [gone, good] = await Promise.allSettled(transport.publish([message(doomed!, 3), message(known!, 4)]))
  expect(performance.now() - startMs).toBeLessThan(3_000)
  expect(publishFault((gone as PromiseRejectedResult).reason)).toMatchObject({ scope: 'destination', retryable: true })
  expect(good!.status).toBe('fulfilled')
  expect(await stored(known!)).toBe(2)
})

test('a broker that is away is a fault of the transport, told within the time given, and seen in health', async () => {
  await using transport = kafka({ brokers: ['127.0.0.1:1'] })
  const startMs = performance.now()
  const [result] = await Promise.allSettled(transport.publish([message('any', 0)], { timeoutMs: 300 }))
  expect(performance.now() - startMs).toBeLessThan(3_000)
  expect(publishFault((result as PromiseRejectedResult).reason)).toMatchObject({ scope: 'transport', mayExist: false })
  const health = await transport.health({ timeoutMs: 500 })
  expect(health.find(({ part }) => part === 'kafka brokers')).toMatchObject({ state: 'down' })
})

test('beyond its bounds it refuses at once, and what is refused was not sent', async () => {
  const topic = await topicOf({ partitions: 1 })
  await using transport = kafka({ brokers, maxPendingMessages: 2 })
  const results = await Promise.allSettled(transport.publish([0, 1, 2].map((number) => message(topic, number))))
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected'])
  expect(publishFault((results[2] as PromiseRejectedResult).reason)).toMatchObject({
    scope: 'transport',
    mayExist: false,
  })
  expect(await stored(topic)).toBe(2)
})

test('what is refused before it is sent takes the later ones of its key along, and no other', async () => {
  const topic = await topicOf({ partitions: 1 })
  await using transport = kafka({ brokers, maxBodyBytes: 100 })
  const reserved = { ...message(topic, 4, 10, 'b'), headers: { ce_id: 'mine' } }
  const batch = [
    message(topic, 0, 10, 'a'),
    message(topic, 1, 101, 'a'),
    message(topic, 2, 10, 'a'),
    message(topic, 3, 10, 'c'),
    reserved,
    message(topic, 5, 10, 'b'),
  ]
  const results = await Promise.allSettled(transport.publish(batch))
  expect(results.map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'rejected',
    'fulfilled',
    'rejected',
    'rejected',
  ])
  const faults = [1, 2, 4, 5].map((place) => publishFault((results[place] as PromiseRejectedResult).reason))
  const behind = { scope: 'message', retryable: true, mayExist: false }
  expect(faults).toEqual([{ ...behind, retryable: false }, behind, { ...behind, retryable: false }, behind])
  expect(await stored(topic)).toBe(2)
  // what comes once that could be seen goes
  await Promise.all(transport.publish([message(topic, 2, 10, 'a')]))
})

test('a clock two hours ahead: topics made here take it, others refuse it as trouble of the transport', async () => {
  const made = `publishes-${randomUUID()}`
  const given = await topicOf({ partitions: 1 })
  await using transport = kafka({ brokers, partitions: 1 })
  const now = Date.now
  onTestFinished(() => void (Date.now = now))
  Date.now = () => now() + 7_200_000
  await Promise.all(transport.publish([message(made, 1)]))
  const refused = await transport.publish([message(given, 1)])[0]!.catch((error: unknown) => error)
  expect(refused).toMatchObject({ fault: { scope: 'transport', retryable: true, mayExist: false } })
  expect((refused as Error).message).toContain('clock')
  Date.now = now
  await Promise.all(transport.publish([message(given, 2)]))
  expect([await stored(made), await stored(given)]).toEqual([1, 1])
})
