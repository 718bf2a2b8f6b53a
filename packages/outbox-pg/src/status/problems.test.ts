import { expect, test } from 'vitest'
import type { LogFacts } from './log-facts.ts'
import { age, problemsOf } from './problems.ts'

const quiet: LogFacts = {
  schemaVersion: 2,
  lastId: 0,
  partitions: 3,
  inDefaultPartition: 0,
  scheduled: 0,
  oldestPendingSeconds: null,
  readers: [],
  writers: [],
  gapOwner: null,
  unread: [],
}
const reader = {
  name: 'service/billing',
  kind: 'service',
  position: 41,
  lag: 9,
  open: 0,
  running: true,
  seenSecondsAgo: 0,
  pending: 9,
  pendingAtLeast: false,
  oldestPendingSeconds: 600,
  waiting: 0,
  parked: 0,
  trouble: null,
  troubleSeconds: null,
  destinations: [],
  ranges: [{ from: 0, to: 16, position: 41, running: true }],
}
const writer = { pid: 7, gid: null, user: 'web', application: 'shop', state: 'idle in transaction', ageSeconds: 5 }

test('a log that is well has no problems', () => expect(problemsOf(quiet)).toEqual([]))

test('a reader that runs and is late is told as such, once, and only when nothing else explains it', () => {
  expect(problemsOf({ ...quiet, readers: [reader] })).toMatchObject([
    { level: 'blocked', text: 'service/billing: is behind by 9 messages, the oldest 10 min old' },
  ])
  const refused = { destination: 'topic/a', pending: 0, waiting: 9, parked: 0, oldestSeconds: 600, lastError: 'full' }
  expect(problemsOf({ ...quiet, readers: [{ ...reader, waiting: 9, destinations: [refused] }] })).toMatchObject([
    { level: 'blocked', text: expect.stringContaining('the oldest 10 min old: full') },
  ])
})

test('writers are told by age: none at once, by day, by night; a prepared transaction by its name', () => {
  const told = (ageSeconds: number) => problemsOf({ ...quiet, writers: [{ ...writer, ageSeconds }] })
  expect(told(5)).toEqual([])
  expect(told(30)).toMatchObject([
    { level: 'notice', text: expect.stringContaining('pid 7 (user web, application shop') },
  ])
  expect(told(90)).toMatchObject([{ level: 'blocked', advice: expect.stringContaining('pg_terminate_backend(7)') }])
  const prepared = { ...writer, pid: null, gid: 'xa-1', state: null, ageSeconds: 90 }
  expect(problemsOf({ ...quiet, writers: [prepared] })).toMatchObject([
    {
      text: expect.stringContaining('prepared transaction xa-1'),
      advice: expect.stringContaining('ROLLBACK PREPARED'),
    },
  ])
})

test('ages as one reads them', () => {
  expect([3.21, 61, 600, 10_000, 1e6].map(age)).toEqual(['3.2 s', '61 s', '10 min', '3 h', '12 days'])
})
