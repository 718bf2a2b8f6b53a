import fc from 'fast-check'
import { Partitioners } from 'kafkajs'
import { expect, test } from 'vitest'
import { partitionOf } from './partition-of.ts'

const bytes = fc.uint8Array({ maxLength: 40 }).map((key) => Buffer.from(key))

test('a key goes where kafkajs sends it, be it text or bytes', () => {
  const theirs = Partitioners.DefaultPartitioner()
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'grapheme' }), bytes), fc.integer({ min: 1, max: 60 }), (key, count) => {
      const partitionMetadata = Array.from({ length: count }, (_, partitionId) => ({ partitionId, leader: 1 })) as never
      expect(partitionOf(key, count)).toBe(theirs({ topic: 't', partitionMetadata, message: { key, value: null } }))
    }),
    { numRuns: 500 },
  )
})

// the hashes of Kafka's own test: UtilsTest.testMurmur2
test.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
])('the hash of %s is that of the Java client', (key, hash) => {
  expect(partitionOf(key, 2 ** 31)).toBe(hash & 0x7fffffff)
})
