import type { EventEmitter } from 'node:events'
import { defineEvent } from '@waybill/core'
import { CamelCasePlugin, Kysely, PostgresDialect, sql, type Transaction } from 'kysely'
import pg from 'pg'
import { expect, test } from 'vitest'
import { z } from 'zod'
import type { Database, PgClient } from '../database.ts'
import { fromKysely } from '../kysely.ts'
import { fromPool } from '../pg-database.ts'
import { testDatabase } from '../test-database.ts'
import { createOutbox } from './outbox.ts'

const Booked = defineEvent('rental.booked', {
  schema: z.object({ rentalId: z.string() }),
  orderingKey: ({ rentalId }) => rentalId,
})
const Slow = defineEvent('rental.slow', {
  schema: z.object({ rentalId: z.string() }).refine(async ({ rentalId }) => rentalId !== 'bad'),
})

type TestDatabase = Awaited<ReturnType<typeof testDatabase>>

const rowsOf = async ({ pool, schema }: TestDatabase) =>
  (await pool.query(`select body_text from "${schema}".outbox order by id`)).rows.map(({ body_text }) => body_text)

test('messages exist if and only if the transaction does, in the order given', async () => {
  await using database = await testDatabase()
  const { pool, schema } = database
  const outbox = createOutbox({ db: pool, source: '/rentals', schema, keyLock: true })
  await pool.query(`create table "${schema}".rental (id text)`)
  const result = await outbox.transaction(async (trx, messages) => {
    await trx.query(`insert into "${schema}".rental values ('1')`)
    for (let index = 0; index < 50; index++) messages.publish(Booked, { rentalId: String(index) })
    return 'done'
  })
  expect(result).toBe('done')
  expect(await rowsOf(database)).toEqual(Array.from({ length: 50 }, (_, index) => `{"rentalId":"${index}"}`))
  expect((await pool.query(`select from "${schema}".rental`)).rowCount).toBe(1)
})

test('a bad message takes the transaction with it, whether its schema is synchronous or not', async () => {
  await using database = await testDatabase()
  const outbox = createOutbox({ db: database.pool, source: '/rentals', schema: database.schema })
  const wrong = outbox.transaction(async (_trx, messages) => {
    messages.publish(Booked, { rentalId: 7 as unknown as string })
  })
  await expect(wrong).rejects.toMatchObject({ code: 'VALIDATION' })
  const late = outbox.transaction(async (_trx, messages) => {
    messages.publish(Booked, { rentalId: 'good' })
    messages.publish(Slow, { rentalId: 'bad' })
  })
  await expect(late).rejects.toMatchObject({ code: 'VALIDATION' })
  const large = outbox.transaction(async (_trx, messages) => {
    messages.publish(Booked, { rentalId: 'x'.repeat(1_100_000) })
  })
  await expect(large).rejects.toMatchObject({ code: 'PUBLISH', retryable: false })
  expect(await rowsOf(database)).toEqual([])
})

test.for(['a pool', 'kysely'])('a COMMIT that became a rollback is no success: %s', async (kind) => {
  await using database = await testDatabase()
  const { pool, schema } = database
  const db =
    kind === 'kysely' ? fromKysely(new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) })) : fromPool(pool)
  const outbox = createOutbox<unknown>({ db: db as Database<unknown>, source: '/rentals', schema })
  const fails = (trx: unknown) =>
    kind === 'kysely' ? sql`select 1 / 0`.execute(trx as Transaction<unknown>) : (trx as PgClient).query('select 1 / 0')
  for (const publish of [true, false]) {
    const swallowed = outbox.transaction(async (trx, messages) => {
      if (publish) messages.publish(Booked, { rentalId: '1' })
      await fails(trx).catch(() => undefined)
    })
    await expect(swallowed).rejects.toMatchObject({ code: 'TRANSACTION' })
  }
  expect(await rowsOf(database)).toEqual([])
})

test('in() refuses what is in no transaction, or in a failed one', async () => {
  await using database = await testDatabase()
  const { pool, schema } = database
  const outbox = createOutbox({ db: pool, source: '/rentals', schema })
  const client = await pool.connect()
  const bare = { query: (text: string, values?: unknown[]) => client.query(text, values) }
  try {
    for (const trx of [client, bare, pool]) {
      await expect(outbox.in(trx).publish(Booked, { rentalId: '1' })).rejects.toMatchObject({ code: 'TRANSACTION' })
    }
    await client.query('begin')
    await outbox.in(client).publish(Booked, { rentalId: '2' })
    await outbox.in(bare).publish(Booked, { rentalId: '3' })
    await client.query('commit')
    for (const trx of [client, bare]) {
      await client.query('begin')
      await client.query('select 1 / 0').catch(() => undefined)
      await expect(outbox.in(trx).publish(Booked, { rentalId: '4' })).rejects.toMatchObject({ code: 'TRANSACTION' })
      await client.query('rollback')
    }
  } finally {
    client.release()
  }
  expect(await rowsOf(database)).toEqual(['{"rentalId":"2"}', '{"rentalId":"3"}'])
})

test('kysely: its own transaction type, its plugins kept away from our columns', async () => {
  await using database = await testDatabase()
  const { pool, schema } = database
  await pool.query(`create table "${schema}".ski_rental (ski_id text)`)
  const db = new Kysely<{ skiRental: { skiId: string } }>({
    dialect: new PostgresDialect({ pool }),
    plugins: [new CamelCasePlugin()],
  }).withSchema(schema)
  const outbox = createOutbox({ db: fromKysely(db), source: '/rentals', schema })
  await outbox.transaction(async (trx, messages) => {
    await trx.insertInto('skiRental').values({ skiId: 's-1' }).execute()
    messages.publish(Booked, { rentalId: '1' })
  })
  await db.transaction().execute(async (trx) => {
    await outbox.in(trx).publish(Booked, { rentalId: '2' })
  })
  await expect(outbox.in(db as never).publish(Booked, { rentalId: '3' })).rejects.toMatchObject({ code: 'TRANSACTION' })
  const failed = outbox.transaction(async (trx, messages) => {
    messages.publish(Booked, { rentalId: '4' })
    await trx.insertInto('skiRental').values({ skiId: 's-2' }).execute()
    throw new Error('no')
  })
  await expect(failed).rejects.toThrow('no')
  expect(await rowsOf(database)).toEqual(['{"rentalId":"1"}', '{"rentalId":"2"}'])
  expect((await pool.query(`select from "${schema}".ski_rental`)).rowCount).toBe(1)
})

test('a dedupe key lets one message through; deliverAt waits in a table of its own', async () => {
  await using database = await testDatabase()
  const { pool, schema } = database
  const outbox = createOutbox({ db: pool, source: '/rentals', schema })
  const Plain = defineEvent('rental.plain', { schema: z.object({ rentalId: z.string() }) })
  await outbox.transaction(async (_trx, messages) => {
    messages.publish(Plain, { rentalId: '1' }, { dedupeKey: 'a' })
    messages.publish(Plain, { rentalId: '2' }, { dedupeKey: 'a' })
    messages.publish(Plain, { rentalId: '3' })
    messages.publish(Plain, { rentalId: '4' }, { deliverAt: new Date(Date.now() + 60_000) })
  })
  await outbox.transaction(async (_trx, messages) => messages.publish(Plain, { rentalId: '5' }, { dedupeKey: 'a' }))
  expect(await rowsOf(database)).toEqual(['{"rentalId":"1"}', '{"rentalId":"3"}'])
  expect((await pool.query(`select from "${schema}".outbox_scheduled`)).rowCount).toBe(1)
})

test('a message may be the first that is done in a transaction', async () => {
  await using database = await testDatabase()
  const { pool, schema } = database
  const outbox = createOutbox({ db: pool, source: '/orders', transport: 'one', schema })
  await outbox.transaction(async (trx) => outbox.in(trx).publish(Booked, { rentalId: 'r-1' }))
  const failing = outbox.transaction(async (trx) => {
    await outbox.in(trx).publish(Booked, { rentalId: 'r-2' })
    throw new Error('no')
  })
  await expect(failing).rejects.toThrow('no')
  const { rows } = await pool.query(`select ordering_key as key from "${schema}".outbox`)
  expect(rows).toEqual([{ key: 'r-1' }])
})

test('a session that ends within its transaction fails it, and is used no more', async () => {
  await using database = await testDatabase()
  const { pool: other, connectionString, schema } = database
  const pool = new pg.Pool({ connectionString, max: 1 })
  const outbox = createOutbox({ db: pool, source: '/orders', transport: 'one', schema })
  const ended = outbox.transaction(async (trx) => {
    const gone = new Promise((resolve) => (trx as unknown as EventEmitter).once('end', resolve))
    const { rows } = await trx.query('select pg_backend_pid() as pid')
    await other.query('select pg_terminate_backend($1)', [rows[0].pid])
    await gone
  })
  await expect(ended).rejects.toThrow(/not queryable|terminat/)
  expect(await outbox.transaction(async (trx) => (await trx.query('select 1 as one')).rows)).toEqual([{ one: 1 }])
  await pool.end()
})
