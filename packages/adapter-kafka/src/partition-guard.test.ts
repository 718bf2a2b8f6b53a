import { expect, test } from 'vitest'
import { missingPartitions } from './partition-guard.ts'

const sent = [
  { topic: 'rentals', partition: 0 },
  { topic: 'rentals', partition: 3 },
  { topic: 'payments', partition: 0 },
]
const stored = (topicName: string, partition: number, errorCode = 0) => ({ topicName, partition, errorCode })

test('an answer that leaves out a moved partition is not taken for success', () => {
  const answer = [stored('rentals', 0), stored('payments', 0)]
  expect(missingPartitions(sent, answer)).toEqual([{ topic: 'rentals', partition: 3 }])
})

test('an answer to an unknown partition is empty, and nothing was stored', () => {
  expect(missingPartitions([{ topic: 'rentals', partition: 99 }], [])).toHaveLength(1)
})

test('the same partition of another topic, or one with an error code, does not count', () => {
  const answer = [stored('rentals', 0, 6), stored('rentals', 3), stored('payments', 3)]
  expect(missingPartitions(sent, answer)).toEqual([
    { topic: 'rentals', partition: 0 },
    { topic: 'payments', partition: 0 },
  ])
})

test('a whole answer leaves nothing to send again', () => {
  expect(missingPartitions(sent, [stored('payments', 0), stored('rentals', 3), stored('rentals', 0)])).toEqual([])
})
