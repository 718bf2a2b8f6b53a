import { randomUUID } from 'node:crypto'
import type { Delivery, Settlement, SubscribeOptions, Transport, WireMessage } from '@waybill/core'
import { Kafka, logLevel } from 'kafkajs'
import { afterEach, expect, onTestFinished, test } from 'vitest'
import { kafka, type KafkaOptions } from './index.ts'

const brokers = process.env.KAFKA_BROKERS!.split(',')
const open: Transport[] = []
const client = (options: Partial<KafkaOptions> = {}) => {
  const transport = kafka({ brokers, heartbeatMs: 300, partitions: 1, ...options })
  open.push(transport)
  return transport
}
afterEach(() => Promise.all(open.splice(0).map((transport) => transport[Symbol.asyncDispose]())))

const message = (topic: string, number: number, more: Partial<WireMessage> = {}): WireMessage => ({
  id: String(number),
  type: 'counted',
  destination: { kind: 'topic', name: topic },
  contentType: 'text/plain',
  body: Buffer.from(String(number)),
  attributes: { source: '/test' },
  headers: {},
  ...more,
})
const range = (count: number, from = 0) => Array.from({ length: count }, (_, index) => from + index)
const ack: Settlement = { outcome: 'ack' }

async function listOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

/** What came, and a wait for something to be true of it. */
function seen() {
  const ids: string[] = []
  let look = () => {}
  return {
    ids,
    add(id: string) {
      ids.push(id)
      look()
    },
    until: (condition: (ids: readonly string[]) => boolean) =>
      new Promise<void>((resolve) => {
        look = () => condition(ids) && resolve()
        look()
      }),
  }
}

function read(
  transport: Transport,
  topic: string,
  deliver: (delivery: Delivery) => Promise<Settlement>,
  more: Partial<SubscribeOptions> = {},
) {
  const sources = [{ kind: 'topic' as const, name: topic }]
  const bounds = { mode: 'ordered', ackBefore: false, maxOpen: 64, maxOpenBytes: 1e7, start: 'earliest' } as const
  return transport.subscribe({ service: `s-${topic}`, sources, ...bounds, ...more }, deliver)
}

test('a handler that throws a TypeError, which stops kafkajs for good, stops nothing', async () => {
  const topic = `throws-${randomUUID()}`
  const transport = client()
  const came = seen()
  await read(transport, topic, ({ message: { id } }) => {
    came.add(id)
    if (came.ids.filter((one) => one === id).length === 1) throw new TypeError('as planned')
    return Promise.resolve(ack)
  })
  await Promise.all(transport.publish(range(5).map((number) => message(topic, number))))
  await came.until((ids) => ids.length >= 10 && new Set(ids).size === 5)
  expect((await transport.health()).every(({ state }) => state === 'up')).toBe(true)
})

test('a handler slower than the session runs once, though the clock is set back meanwhile, and the next comes', async () => {
  const now = Date.now
  onTestFinished(() => void (Date.now = now))
  const topic = `slow-${randomUUID()}`
  const transport = client({ sessionTimeoutMs: 6_000 })
  const came = seen()
  const aborted: string[] = []
  await Promise.all(transport.publish(range(3).map((number) => message(topic, number))))
  await read(
    transport,
    topic,
    async ({ message: { id }, signal }) => {
      came.add(id)
      Date.now = () => now() - 3_600_000
      signal.addEventListener('abort', () => aborted.push(id))
      // eslint-disable-next-line no-restricted-syntax -- being slower than the session is what is tested
      if (id === '0') await new Promise((resolve) => setTimeout(resolve, 7_500))
      return ack
    },
    { maxOpen: 1 },
  )
  await came.until((ids) => ids.includes('2'))
  expect(came.ids).toEqual(['0', '1', '2'])
  expect(aborted).toEqual([])
  // positions of a member that the group gave up are not saved
  await transport[Symbol.asyncDispose]()
  const later = seen()
  const next = client()
  await Promise.all(next.publish([message(topic, 3)]))
  await read(next, topic, ({ message: { id } }) => {
    later.add(id)
    return Promise.resolve(ack)
  })
  await later.until((ids) => ids.includes('3'))
  expect(later.ids).toEqual(['3'])
})

test('after a restart nothing unfinished is lost, and nothing below it comes again', async () => {
  const topic = `resumes-${randomUUID()}`
  const transport = client()
  const first = seen()
  const subscription = await read(transport, topic, ({ message: { id } }) => {
    first.add(id)
    // 2 stays open: what is finished after it may not be committed past it
    return id === '2' ? new Promise<Settlement>(() => {}) : Promise.resolve(ack)
  })
  await Promise.all(transport.publish(range(6).map((number) => message(topic, number))))
  await first.until((ids) => ids.length === 6)
  await subscription.stop({ drainTimeoutMs: 50 })
  const second = seen()
  const again = await read(client(), topic, ({ message: { id } }) => {
    second.add(id)
    return Promise.resolve(ack)
  })
  await second.until((ids) => ids.includes('5'))
  expect(second.ids).toEqual(['2', '3', '4', '5'])
  await again.stop()
  await Promise.all(transport.publish([message(topic, 6)]))
  const third = seen()
  await read(client(), topic, ({ message: { id } }) => {
    third.add(id)
    return Promise.resolve(ack)
  })
  await third.until((ids) => ids.length > 0)
  expect(third.ids).toEqual(['6'])
})

test('at most once: what was handed over does not come again, whatever became of it', async () => {
  const topic = `once-${randomUUID()}`
  const transport = client()
  const first = seen()
  const never = (came: ReturnType<typeof seen>) => (delivery: Delivery) => {
    came.add(delivery.message.id)
    return new Promise<Settlement>(() => {})
  }
  const subscription = await read(transport, topic, never(first), { ackBefore: true, maxOpen: 2 })
  await Promise.all(transport.publish(range(3).map((number) => message(topic, number))))
  await first.until((ids) => ids.length === 2)
  await subscription.stop({ drainTimeoutMs: 50 })
  const second = seen()
  await read(client(), topic, never(second), { ackBefore: true })
  await second.until((ids) => ids.length > 0)
  expect([first.ids, second.ids]).toEqual([['0', '1'], ['2']])
})

test('an instance that comes waits for what the other runs: nothing is handled twice, no key in both at once', async () => {
  const topic = `hands-over-${randomUUID()}`
  const transport = client({ partitions: 4 })
  const running: { key: string; instance: number }[] = []
  const overlaps: string[] = []
  const came = seen()
  const deliverTo =
    (instance: number) =>
    async ({ message: { id, orderingKey: key = '' }, recalled }: Delivery): Promise<Settlement> => {
      if (recalled.aborted) return { outcome: 'release' }
      if (running.some((other) => other.key === key && other.instance !== instance)) overlaps.push(id)
      const run = { key, instance }
      running.push(run)
      // eslint-disable-next-line no-restricted-syntax -- the time in which an overlap can be seen
      await new Promise((resolve) => setTimeout(resolve, 20))
      running.splice(running.indexOf(run), 1)
      came.add(id)
      return ack
    }
  const messages = range(200).map((number) => message(topic, number, { orderingKey: `k${number % 40}` }))
  await read(transport, topic, deliverTo(1), { maxOpen: 4 })
  const sent = Promise.all(transport.publish(messages))
  await came.until((ids) => ids.length >= 20)
  await read(client({ partitions: 4 }), topic, deliverTo(2), { maxOpen: 4 })
  await sent
  await came.until((ids) => new Set(ids).size === 200)
  expect(came.ids).toHaveLength(200)
  expect(overlaps).toEqual([])
})

test('a dead letter is copied with its notes, and does not come again', async () => {
  const topic = `dead-${randomUUID()}`
  const transport = client()
  const came = seen()
  const subscription = await read(transport, topic, ({ message: { id } }) => {
    came.add(id)
    return Promise.resolve(id === '0' ? { outcome: 'deadLetter', notes: { 'waybill-reason': 'as planned' } } : ack)
  })
  await Promise.all(transport.publish(range(2).map((number) => message(topic, number, { headers: { tone: 'low' } }))))
  const letters = seen()
  const contents: WireMessage[] = []
  await read(
    client(),
    `s-${topic}.dlq`,
    ({ message: letter }) => {
      contents.push(letter)
      letters.add(letter.id)
      return Promise.resolve(ack)
    },
    { mode: 'broadcast' },
  )
  await letters.until((ids) => ids.length === 1)
  expect(contents[0]).toMatchObject({ id: '0', type: 'counted', attributes: { source: '/test' } })
  expect(contents[0]!.headers).toMatchObject({
    tone: 'low',
    'waybill-reason': 'as planned',
    'waybill-origin': `${topic}/0/0`,
  })
  await subscription.stop()
  await read(transport, topic, ({ message: { id } }) => {
    came.add(id)
    return Promise.resolve(ack)
  })
  await Promise.all(transport.publish([message(topic, 2)]))
  await came.until((ids) => ids.includes('2'))
  expect(came.ids).toEqual(['0', '1', '2'])
})

test('dead letters are listed, go to the one service that failed, and are gone from the list after', async () => {
  const topic = `parked-${randomUUID()}`
  const service = `s-${topic}`
  const transport = client()
  const came = seen()
  const others = seen()
  const letters = seen()
  const notes = { 'waybill-reason': 'as planned', 'waybill-failures': '3' }
  await read(transport, topic, ({ message: { id, headers } }) => {
    came.add(id)
    if (came.ids.filter((one) => one === id).length > 1) expect(headers['waybill-failures']).toBeUndefined()
    return Promise.resolve(came.ids.length <= 3 ? { outcome: 'deadLetter', notes } : ack)
  })
  await read(
    client(),
    topic,
    ({ message: { id } }) => {
      others.add(id)
      return Promise.resolve(ack)
    },
    { service: `other-${topic}` },
  )
  await Promise.all(transport.publish(range(3).map((number) => message(topic, number))))
  const dlq = client()
  await read(
    dlq,
    `${service}.dlq`,
    ({ message: { id } }) => {
      letters.add(id)
      return Promise.resolve(ack)
    },
    { mode: 'broadcast' },
  )
  await letters.until((ids) => ids.length === 3)
  const parked = transport.parked!
  const listed = await listOf(parked.list({ service }))
  expect(listed.map(({ message: { id } }) => id)).toEqual(['0', '1', '2'])
  expect(listed[0]).toMatchObject({ service, reason: 'as planned', attempts: 3 })
  expect(listed[0]!.message.destination).toEqual({ kind: 'topic', name: topic })
  await Promise.all(parked.replay([listed[1]!.handle, listed[0]!.handle]))
  await came.until((ids) => ids.length === 5)
  expect(came.ids.slice(3)).toEqual(['1', '0'])
  await Promise.all(parked.discard([listed[2]!.handle], 'not needed'))
  expect(await listOf(parked.list({ service }))).toEqual([])
  await expect(parked.discard([listed[2]!.handle], 'again')[0]).rejects.toThrow(/nothing is parked/)
  expect(others.ids).toEqual(['0', '1', '2'])
})

test('a reply sent in the tick that the address is known arrives; forged and old addresses are refused', async () => {
  const asking = client()
  const answering = client()
  const came = seen()
  const replies = await asking.openReplies!(
    ({ id }) => came.add(id),
    () => {},
  )
  const reply = (name: string, number: number) => message('', number, { destination: { kind: 'reply', name } })
  await Promise.all(answering.publish([reply(replies.address, 1)]))
  await came.until((ids) => ids.length === 1)
  const refused = await Promise.allSettled(answering.publish([reply(randomUUID(), 2), reply('../orders', 3)]))
  for (const result of refused) {
    expect(result).toMatchObject({ reason: { fault: { scope: 'message', retryable: false, mayExist: false } } })
  }
  await replies[Symbol.asyncDispose]()
  const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  expect(await admin.listTopics()).not.toContain(`waybill.reply.${replies.address}`)
  await admin.disconnect()
})
