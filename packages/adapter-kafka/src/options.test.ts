import { expect, test } from 'vitest'
import { resolveOptions } from './options.ts'
import { topicOf } from './topic-names.ts'

test('a bad option names its field, its value and its bound', () => {
  const brokers = ['127.0.0.1:9092']
  expect(() => resolveOptions({})).toThrow(/brokers or client/)
  expect(() => resolveOptions({ brokers: ['http://x'] })).toThrow(/brokers is .*host:port/)
  expect(() => resolveOptions({ brokers, partitions: 0 })).toThrow('partitions is 0: give a whole number from 1')
  expect(() => resolveOptions({ brokers, sessionTimeoutMs: 2_000 })).toThrow(/heartbeatMs is 1000: .*2000/)
  expect(resolveOptions({ brokers, commitMs: undefined })).toMatchObject({ commitMs: 200, partitions: 6 })
})

test('a name that Kafka has no topic for is refused, and a reply can not be sent to a business topic', () => {
  expect(() => topicOf({ kind: 'topic', name: 'notifications/status' })).toThrow(/no name for a Kafka topic/)
  expect(() => topicOf({ kind: 'queue', name: 'x'.repeat(250) })).toThrow(/249/)
  expect(() => topicOf({ kind: 'topic', name: '..' })).toThrow(/no name/)
  expect(topicOf({ kind: 'reply', name: 'rentals' })).toBe('waybill.reply.rentals')
  expect(topicOf({ kind: 'service', name: 'billing' })).toBe('billing.retry')
})
