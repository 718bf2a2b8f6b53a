import { silentLogger, type Context } from '@waybill/core'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { expect, test } from 'vitest'
import { gate, testDatabase } from '../test-database.ts'
import { fromKysely } from '../kysely.ts'
import { createInbox } from './inbox.ts'

const contextOf = (id: string, dedupeKey?: string): Context => ({
  service: 'billing',
  attempt: 1,
  signal: new AbortController().signal,
  logger: silentLogger,
  message: {
    id,
    type: 'rental.booked',
    version: 1,
    source: '/rentals',
    time: undefined,
    attributes: {},
    headers: {},
    orderingKey: undefined,
    dedupeKey,
    correlationId: undefined,
    causationId: undefined,
  },
})

async function billing() {
  const database = await testDatabase()
  await database.pool.query(`create table "${database.schema}".effect (id text)`)
  const inbox = createInbox({ db: database.pool, schema: database.schema })
  return {
    ...database,
    inbox,
    effect: `insert into "${database.schema}".effect values ($1)`,
    effects: async () =>
      (await database.pool.query(`select id from "${database.schema}".effect order by id`)).rows.map(({ id }) => id),
  }
}

test('two copies at the same moment on two connections have one effect', async () => {
  await using test = await billing()
  const both = gate()
  let running = 0
  const handler = test.inbox.once(async (data: { id: string }, { trx }) => {
    if (++running === 1) await both.promise
    await trx.query(test.effect, [data.id])
  })
  const copies = [handler({ id: 'a' }, contextOf('1')), handler({ id: 'a' }, contextOf('1'))]
  // the second copy waits for the first one's lock
  const waiting = `select from pg_stat_activity where application_name = $1 and wait_event = 'advisory'`
  await expect.poll(async () => (await test.pool.query(waiting, [test.schema])).rowCount).toBe(1)
  both.resolve()
  await Promise.all(copies)
  expect(await test.effects()).toEqual(['a'])
  expect(test.inbox.counts).toEqual({ handled: 1, duplicates: 1, mismatches: 0 })
})

test('when the first copy rolls back, the waiting one takes its place', async () => {
  await using test = await billing()
  let calls = 0
  const handler = test.inbox.once(async (data: { id: string }, { trx }) => {
    await trx.query(test.effect, [data.id])
    if (++calls === 1) throw new Error('first fails')
  })
  const results = await Promise.allSettled([handler({ id: 'a' }, contextOf('1')), handler({ id: 'a' }, contextOf('1'))])
  expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
  expect(await test.effects()).toEqual(['a'])
})

test('it commits on ack only', async () => {
  await using test = await billing()
  for (const outcome of ['requeue', 'release', 'deadLetter'] as const) {
    const handler = test.inbox.once(async (_data: object, { trx }) => {
      await trx.query(test.effect, [outcome])
      return { outcome, delayMs: 1, notes: {} }
    })
    expect(await handler({}, contextOf('1'))).toMatchObject({ outcome })
  }
  expect(await test.effects()).toEqual([])
  const handler = test.inbox.once(async (_data: object, { trx }) => {
    await trx.query(test.effect, ['ack'])
    return { outcome: 'ack' }
  })
  expect(await handler({}, contextOf('1'))).toEqual({ outcome: 'ack' })
  expect(await test.effects()).toEqual(['ack'])
})

test('a copy that waits too long for the first is released; the handler keeps its own lock time-out', async () => {
  await using test = await billing()
  const hold = gate()
  const started = gate()
  let setting = ''
  const handler = test.inbox.once(
    async (_data: object, { trx }) => {
      setting = (await trx.query('show lock_timeout')).rows[0].lock_timeout
      started.resolve()
      await hold.promise
    },
    { lockTimeoutMs: 20 },
  )
  const first = handler({}, contextOf('1'))
  await started.promise
  expect(await handler({}, contextOf('1'))).toEqual({ outcome: 'release' })
  hold.resolve()
  await first
  expect(setting).toBe('0')
})

test('other content under the same key is counted, a key has a window, a stored reply is given again', async () => {
  await using test = await billing()
  let calls = 0
  const handler = test.inbox.once(async () => void calls++)
  await handler({ id: 'a' }, contextOf('1', 'order-1'))
  await handler({ id: 'b' }, contextOf('2', 'order-1'))
  expect(calls).toBe(1)
  expect(test.inbox.counts).toEqual({ handled: 1, duplicates: 1, mismatches: 1 })
  const short = test.inbox.once(async () => void calls++, { windowMs: 1_000, name: 'short' })
  await short({}, contextOf('3'))
  await short({}, contextOf('3'))
  expect(calls).toBe(2)
  await test.pool.query(`update "${test.schema}".inbox set handled_at = now() - interval '2 s' where handler = 'short'`)
  await short({}, contextOf('3'))
  expect(calls).toBe(3)
  const answer = test.inbox.replyOnce(() => ({ cents: ++calls }), { name: 'answer' })
  expect([await answer({}, contextOf('4')), await answer({}, contextOf('4'))]).toEqual([{ cents: 4 }, { cents: 4 }])
})

test('a serialization failure is thrown on, and handled at the next try', async () => {
  await using test = await billing()
  let calls = 0
  const handler = test.inbox.once(async (_data: object, { trx }) => {
    await trx.query(test.effect, ['a'])
    if (++calls === 1) await trx.query(`do $$ begin raise exception 'no' using errcode = '40001'; end $$`)
  })
  await expect(handler({}, contextOf('1'))).rejects.toMatchObject({ code: '40001' })
  await handler({}, contextOf('1'))
  expect(await test.effects()).toEqual(['a'])
})

test('what is older than the retention is forgotten', async () => {
  await using test = await billing()
  const handler = test.inbox.once(() => undefined)
  await handler({}, contextOf('1'))
  await handler({}, contextOf('2'))
  await test.pool.query(`update "${test.schema}".inbox set handled_at = now() - interval '8 days' where key = '1'`)
  expect(await test.inbox.sweep()).toBe(1)
  expect((await test.pool.query(`select key from "${test.schema}".inbox`)).rows).toEqual([{ key: '2' }])
})

test('a handler that keeps the error of a statement to itself has no effect, and its message is not acked', async () => {
  await using test = await billing()
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool: test.pool }) })
  const ways = {
    pool: test.inbox.once(async (_data, { trx }) => void (await trx.query('select 1 / 0').catch(() => undefined))),
    kysely: createInbox({ db: fromKysely(db), schema: test.schema }).once(
      async (_data, { trx }) => void (await sql`select 1 / 0`.execute(trx).catch(() => undefined)),
    ),
  }
  for (const [name, handler] of Object.entries(ways)) {
    await expect(handler({}, contextOf(name)), name).rejects.toMatchObject({ code: 'TRANSACTION' })
  }
  expect((await test.pool.query(`select from "${test.schema}".inbox`)).rowCount).toBe(0)
})
