import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createBus, defineCommand, onBatch, retryPolicy, silentLogger, type Context } from '@waybill/core'
import { memory } from '@waybill/core/memory'
import { expect, test } from 'vitest'
import { z } from 'zod'
import type { PgClient } from '../database.ts'
import { postgres } from '../postgres/transport.ts'
import { gate, testDatabase } from '../test-database.ts'
import { createInbox, type InboxContexts } from './inbox.ts'

const Bill = defineCommand('bill', { schema: z.object({ number: z.number() }) })
type Bills = readonly { readonly number: number }[]

const contextOf = (id: string, dedupeKey?: string) =>
  ({
    service: 'billing',
    attempt: 1,
    signal: new AbortController().signal,
    logger: silentLogger,
    message: { id, type: 'bill', version: 1, attributes: {}, headers: {}, dedupeKey },
  }) as unknown as Context

const contextsOf = (numbers: readonly number[]) => numbers.map((number) => contextOf(`m-${number}`))
const billsOf = (numbers: readonly number[]) => numbers.map((number) => ({ number }))
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1)

async function billing() {
  const database = await testDatabase()
  const { pool, schema } = database
  await pool.query(`create table "${schema}".effect (number int)`)
  const inbox = createInbox({ db: pool, schema })
  const effect = `insert into "${schema}".effect select unnest($1::int[])`
  const insertAll = async (bills: Bills, [{ trx }]: InboxContexts<PgClient>) => {
    await trx.query(effect, [bills.map(({ number }) => number)])
  }
  return {
    ...database,
    inbox,
    insertAll,
    effects: async () =>
      (await pool.query(`select number from "${schema}".effect order by number`)).rows.map(({ number }) => number),
    keys: async () => (await pool.query(`select key from "${schema}".inbox order by key`)).rows.map(({ key }) => key),
  }
}

test('a batch hands over its fresh messages alone, and remembers each in a row of its own', async () => {
  await using at = await billing()
  const calls: number[][] = []
  const handler = at.inbox.onceBatch(async (bills: Bills, contexts) => {
    calls.push(bills.map(({ number }) => number))
    expect(contexts.map(({ message }) => message.id)).toEqual(bills.map(({ number }) => `m-${number}`))
    expect(new Set(contexts.map(({ trx }) => trx)).size).toBe(1)
    await at.insertAll(bills, contexts)
  })
  await handler(billsOf([3, 1, 2]), contextsOf([3, 1, 2]))
  // one known, one twice in the batch, and one known with other content
  const numbers = [2, 4, 4, 5]
  const bills = [...billsOf(numbers), { number: 100 }]
  expect(await handler(bills, contextsOf([...numbers, 1]))).toBeUndefined()
  expect(await handler(billsOf([1, 5]), contextsOf([1, 5]))).toBeUndefined()
  expect(calls).toEqual([
    [3, 1, 2],
    [4, 5],
  ])
  expect(await at.effects()).toEqual(upTo(5))
  expect(await at.keys()).toEqual(upTo(5).map((number) => `m-${number}`))
  expect(at.inbox.counts).toEqual({ handled: 5, duplicates: 5, mismatches: 1 })
})

test('it has one memory with inbox.once, goes by dedupe keys, and keeps their window', async () => {
  await using at = await billing()
  const single = at.inbox.once(async () => undefined)
  await single({ number: 1 }, contextOf('m-1'))
  const numbers: number[] = []
  const handler = at.inbox.onceBatch((bills: Bills) => void numbers.push(...bills.map(({ number }) => number)), {
    windowMs: 1_000,
  })
  const contexts = [contextOf('m-1'), contextOf('m-2', 'order'), contextOf('m-3', 'order'), contextOf('m-4')]
  await handler(billsOf([1, 2, 3, 4]), contexts)
  expect(numbers).toEqual([2, 4])
  await at.pool.query(`update "${at.schema}".inbox set handled_at = now() - interval '2 s' where key = 'order'`)
  await handler(billsOf([1, 3, 3]), [contextOf('m-1'), contextOf('m-3', 'order'), contextOf('m-3', 'order')])
  expect(numbers).toEqual([2, 4, 3])
})

test('nothing of a batch stays unless all of it is acked', async () => {
  await using at = await billing()
  const numbers = [1, 2]
  const run = async (settle: (bills: Bills) => unknown) => {
    const handler = at.inbox.onceBatch(async (bills: Bills, contexts) => {
      await at.insertAll(bills, contexts)
      return settle(bills) as never
    })
    return handler(billsOf([...numbers, 1]), contextsOf([...numbers, 1]))
  }
  const requeue = { outcome: 'requeue', delayMs: 1, notes: {} }
  const release = { outcome: 'release' }
  // the copy of the first fares as the first
  expect(await run(() => requeue)).toEqual([requeue, requeue, requeue])
  expect(await run(() => [requeue, release])).toEqual([requeue, release, requeue])
  await expect(run(() => [undefined, release])).rejects.toMatchObject({ code: 'TRANSACTION' })
  await expect(run(() => [release])).rejects.toThrow(/a batch of 2 messages got 1 settlements/)
  await expect(run(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect([await at.effects(), await at.keys()]).toEqual([[], []])
  expect(at.inbox.counts).toEqual({ handled: 0, duplicates: 0, mismatches: 0 })
  // core acks what is no settlement, so it is committed
  await run((bills) => bills.map(() => 'done'))
  expect(await at.effects()).toEqual([1, 2])
})

test('two instances at once with batches that overlap in other orders: each effect once, no deadlock', async () => {
  await using at = await billing()
  const other = createInbox({ db: at.pool, schema: at.schema })
  for (let round = 0; round < 20; round++) {
    const numbers = upTo(40).map((number) => round * 40 + number)
    const batches = [
      numbers,
      numbers.toReversed(),
      numbers.toSorted((a, b) => (a % 7) - (b % 7)),
      numbers.slice(10, 30),
    ]
    await Promise.all(
      batches.map((batch, index) =>
        (index % 2 === 0 ? at.inbox : other).onceBatch(at.insertAll)(billsOf(batch), contextsOf(batch)),
      ),
    )
  }
  expect(await at.effects()).toEqual(upTo(800))
  expect(at.inbox.counts.handled + other.counts.handled).toBe(800)
  expect(at.inbox.counts.duplicates + other.counts.duplicates).toBe(20 * 100)
})

test('a batch behind another instance is handled alone: only what that one is at is released', async () => {
  await using at = await billing()
  const started = gate()
  const hold = gate()
  const slow = at.inbox.once(async () => {
    started.resolve()
    await hold.promise
  })
  const first = slow({ number: 1 }, contextOf('m-1'))
  await started.promise
  const handler = at.inbox.onceBatch(at.insertAll, { lockTimeoutMs: 20 })
  await expect(handler(billsOf([1, 2]), contextsOf([1, 2]))).rejects.toMatchObject({ code: '55P03' })
  expect(await handler(billsOf([1]), contextsOf([1]))).toEqual({ outcome: 'release' })
  await handler(billsOf([2]), contextsOf([2]))
  hold.resolve()
  await first
  expect(await at.effects()).toEqual([2])
})

test('one poison in a batch: core hands over each alone, the others take effect once', async () => {
  await using at = await billing()
  await using bus = createBus({
    transport: memory(),
    source: '/billing',
    retry: retryPolicy({ inProcess: { tries: 2, firstMs: 1, maxMs: 1 }, roundsMs: [] }),
  })
  const sizes: number[] = []
  await bus.subscribe('billing', [
    onBatch(
      Bill,
      at.inbox.onceBatch(async (bills, contexts) => {
        sizes.push(bills.length)
        await at.insertAll(bills, contexts)
        if (bills.some(({ number }) => number === 4)) throw new Error('poison')
      }),
      { size: 10, waitMs: 10_000 },
    ),
  ])
  await Promise.all(upTo(10).map((number) => bus.send(Bill, { number })))
  await expect.poll(() => bus.stats.deadLettered, { timeout: 10_000 }).toBe(1)
  await expect.poll(() => at.effects(), { timeout: 10_000 }).toEqual(upTo(10).filter((number) => number !== 4))
  expect(sizes[0]).toBe(10)
  expect(new Set(sizes.slice(1))).toEqual(new Set([1]))
  expect(await at.keys()).toHaveLength(9)
})

test('a batch that committed and was never acked, since its process was killed, comes again without a second effect', async () => {
  await using at = await billing()
  const { pool, schema } = at
  const options = { pool, schema, leaseMs: 500, pollMs: 20 }
  const sources = JSON.stringify(new URL('../../../core/src/', import.meta.url).href)
  const resolve = `data:text/javascript,${encodeURIComponent(`
    import { registerHooks } from 'node:module'
    registerHooks({ resolve: (name, context, next) =>
      name === '@waybill/core' ? next(${sources} + 'index.ts', context) : next(name, context) })`)}`
  const script = fileURLToPath(new URL('once-batch-process.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', resolve, script], {
    env: { ...process.env, SCHEMA: schema },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const ended = once(child, 'exit')
  await using bus = createBus({ transport: postgres(options), source: '/billing' })
  using _killed = { [Symbol.dispose]: () => child.kill('SIGKILL') }
  // a command is refused until somebody reads its queue
  const readers = async () => (await pool.query(`select from "${schema}".reader where name = 'queue/bill'`)).rowCount
  await expect.poll(readers, { timeout: 10_000 }).toBeGreaterThan(0)
  await Promise.all(upTo(10).map((number) => bus.send(Bill, { number })))
  expect((await ended)[1]).toBe('SIGKILL')
  const before = await at.effects()
  expect(before.length).toBeGreaterThan(0)
  await bus.subscribe('billing', [onBatch(Bill, at.inbox.onceBatch(at.insertAll), { size: 10, waitMs: 50 })])
  await expect.poll(() => at.inbox.counts.duplicates + at.inbox.counts.handled, { timeout: 15_000 }).toBe(10)
  expect(at.inbox.counts).toEqual({ handled: 10 - before.length, duplicates: before.length, mismatches: 0 })
  expect(await at.effects()).toEqual(upTo(10))
})
