import { EventEmitter } from 'node:events'
import { ConfigError, ConnectionError, type SubscribeOptions } from '@waybill/core'
import { KafkaJSProtocolError } from 'kafkajs'
import { expect, test } from 'vitest'
import { kafka, type KafkaClient } from './index.ts'

const failure = (type: string, message: string) =>
  new KafkaJSProtocolError(Object.assign(new Error(message), { type, code: 6, retriable: true }) as never)
const notLeader = () => failure('NOT_LEADER_FOR_PARTITION', 'This server is not the leader for that topic-partition')

/** A broker with one partition of each topic; looking up its positions fails with each of `failures` first. */
function clientWhere(failures: Iterable<Error>): KafkaClient & { readonly lookUps: number } {
  const left = failures[Symbol.iterator]()
  let lookUps = 0
  const topics = (names: readonly string[]) =>
    names.map((name) => ({ name, partitions: [{ partitionId: 0, leader: 1, partitionErrorCode: 0 }] }))
  const consumer = () => {
    const events = new EventEmitter()
    let read: readonly string[] = []
    return {
      events: { GROUP_JOIN: 'join', FETCH: 'fetch', CRASH: 'crash' },
      on: (name: string, listener: (event: object) => void) => events.on(name, listener),
      connect: () => Promise.resolve(),
      subscribe: (given: { topics: string[] }) => Promise.resolve((read = given.topics)),
      async run() {
        events.emit('join', { payload: { memberAssignment: Object.fromEntries(read.map((topic) => [topic, [0]])) } })
        events.emit('fetch', {})
      },
      seek() {},
      pause() {},
      resume() {},
      commitOffsets: () => Promise.resolve(),
      disconnect: () => Promise.resolve(),
    }
  }
  const admin = () => ({
    connect: () => Promise.resolve(),
    disconnect: () => Promise.resolve(),
    deleteGroups: () => Promise.resolve([]),
    fetchTopicMetadata: (asked: { topics: string[] }) => Promise.resolve({ topics: topics(asked.topics) }),
    fetchOffsets: () => Promise.resolve([]),
    fetchTopicOffsets() {
      lookUps += 1
      const { value } = left.next() as IteratorResult<Error, undefined>
      return value ? Promise.reject(value) : Promise.resolve([{ partition: 0, offset: '7' }])
    },
  })
  return {
    admin,
    consumer,
    producer: () => ({}),
    get lookUps() {
      return lookUps
    },
  }
}

const OPTIONS: SubscribeOptions = {
  service: 'rentals',
  sources: [{ kind: 'topic', name: 'bookings' }],
  mode: 'compete',
  ackBefore: false,
  maxOpen: 10,
  maxOpenBytes: 1_000_000,
  start: 'latest',
}
const subscribe = (client: KafkaClient, connectTimeoutMs: number) =>
  kafka({ client, connectTimeoutMs }).subscribe(OPTIONS, () => Promise.resolve({ outcome: 'ack' }))

test('a subscription waits for leaders that move while its start is looked up', async () => {
  const client = clientWhere([notLeader(), notLeader()])
  await using subscription = await subscribe(client, 5_000)
  expect(subscription.capabilities.persistent).toBe(true)
  // two topics, the service's own and the one it reads, asked for anew after each failure
  expect(client.lookUps).toBeGreaterThan(2)
})

test('when they move for longer than the time to connect, the error is typed and retryable', async () => {
  const forever = (function* () {
    for (;;) yield notLeader()
  })()
  const error = await subscribe(clientWhere(forever), 150).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(ConnectionError)
  expect(error).toMatchObject({ retryable: true, message: expect.stringContaining('service "rentals"') as string })
})

test('a setting that is to blame is told at once', async () => {
  const client = clientWhere([failure('TOPIC_AUTHORIZATION_FAILED', 'Not authorized'), notLeader()])
  await expect(subscribe(client, 60_000)).rejects.toBeInstanceOf(ConfigError)
})
