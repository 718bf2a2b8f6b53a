import { randomBytes } from 'node:crypto'
import { createBus, defineEvent, on, onBatch, retryPolicy } from '@waybill/core'
import { memory } from '@waybill/core/memory'
import { createInbox, createOutbox, migrate, type Database } from '@waybill/outbox-pg'
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import { sql } from 'drizzle-orm'
import { pgSchema, text } from 'drizzle-orm/pg-core'
import knexOf, { type Knex } from 'knex'
import { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { fromDrizzle } from './from-drizzle.ts'
import { fromKnex } from './from-knex.ts'

const Booked = defineEvent('rental.booked', { schema: z.object({ rentalId: z.string() }) })
const connectionString = process.env.DATABASE_URL!
const own = `docs_${randomBytes(6).toString('hex')}`
// Knex means a value by a question mark
const schema = `${own}?`
const pool = new Pool({ connectionString, max: 4 })
const knex = knexOf({ client: 'pg', connection: connectionString, pool: { min: 0, max: 4 } })
const drizzled = drizzle(pool)
const invoice = pgSchema(own).table('invoice', { rentalId: text('rental_id') })

beforeAll(async () => {
  await migrate({ pool, schema })
  await pool.query(`create schema "${own}"; create table "${own}".invoice (rental_id text)`)
})
afterAll(async () => {
  await pool.query(`drop schema "${schema}", "${own}" cascade`)
  await Promise.all([knex.destroy(), pool.end()])
})

/** One query builder: how its users open a transaction, write a row, and break it. */
interface Builder<Trx> {
  readonly db: Database<Trx>
  readonly outside: unknown
  transaction<R>(work: (trx: Trx) => Promise<R>): Promise<R>
  write(trx: Trx, rentalId: string): Promise<unknown>
  breaks(trx: Trx): Promise<unknown>
}

const withKnex: Builder<Knex.Transaction> = {
  db: fromKnex(knex),
  outside: knex,
  transaction: (work) => knex.transaction(work),
  write: async (trx, rentalId) => trx('invoice').withSchema(own).insert({ rental_id: rentalId }),
  breaks: async (trx) => trx.raw('select 1 / 0'),
}

type DrizzleTrx = Parameters<Parameters<NodePgDatabase['transaction']>[0]>[0]
const withDrizzle: Builder<DrizzleTrx> = {
  db: fromDrizzle(drizzled),
  outside: drizzled,
  transaction: (work) => drizzled.transaction(work),
  write: async (trx, rentalId) => trx.insert(invoice).values({ rentalId }),
  breaks: async (trx) => trx.execute(sql`select 1 / 0`),
}

const texts = async (table: string, column: string, prefix: string) => {
  const { rows } = await pool.query(`select ${column} as text from ${table} where ${column} like $1`, [`%${prefix}%`])
  return rows.map(({ text }) => text as string)
}
const invoices = async (prefix: string) => (await texts(`"${own}".invoice`, 'rental_id', prefix)).sort()
const messages = async (prefix: string, table = 'outbox') =>
  (await texts(`"${schema}".${table}`, 'body_text', prefix)).map((body) => JSON.parse(body).rentalId as string).sort()

describe.each([
  ['Knex', withKnex as Builder<unknown>],
  ['Drizzle', withDrizzle as Builder<unknown>],
])('%s', (name, { db, outside, transaction, write, breaks }) => {
  const outbox = createOutbox({ db, source: '/rentals', schema, keyLock: true })
  const id = (rentalId: string) => `${name} ${rentalId}`
  const refused = { code: 'TRANSACTION' }

  test('messages of outbox.transaction exist if and only if its rows do', async () => {
    const booking = (rentalId: string) =>
      outbox.transaction(async (trx, { publish }) => {
        await write(trx, rentalId)
        publish(Booked, { rentalId })
        publish(Booked, { rentalId: `${rentalId} once` }, { dedupeKey: rentalId })
        publish(Booked, { rentalId: `${rentalId} twice` }, { dedupeKey: rentalId })
        publish(Booked, { rentalId: `${rentalId} later` }, { deliverAt: new Date(Date.now() + 60_000) })
        if (rentalId.endsWith('gone')) throw new Error('rolled back')
      })
    await expect(booking(id('gone'))).rejects.toThrow('rolled back')
    await booking(id('kept'))
    expect(await messages(id(''))).toEqual([id('kept'), id('kept once')])
    expect(await messages(id(''), 'outbox_scheduled')).toEqual([id('kept later')])
    expect(await invoices(id(''))).toEqual([id('kept')])
  })

  test('so do those published in a transaction of its own', async () => {
    const booking = (rentalId: string) =>
      transaction(async (trx) => {
        await write(trx, rentalId)
        await outbox.in(trx).publish(Booked, { rentalId }, { orderingKey: rentalId })
        await outbox.in(trx).publish(Booked, { rentalId: `${rentalId} once` }, { dedupeKey: rentalId })
        if (rentalId.endsWith('gone')) throw new Error('rolled back')
      })
    await expect(booking(id('own gone'))).rejects.toThrow('rolled back')
    await booking(id('own kept'))
    expect(await messages(id('own'))).toEqual([id('own kept'), id('own kept once')])
    expect(await invoices(id('own'))).toEqual([id('own kept')])
  })

  test('outside of a transaction, and in a failed one, publishing is refused', async () => {
    await expect(outbox.in(outside as never).publish(Booked, { rentalId: id('no') })).rejects.toMatchObject(refused)
    const failed = transaction(async (trx) => {
      await breaks(trx).catch(() => undefined)
      await outbox.in(trx).publish(Booked, { rentalId: id('no') })
    })
    await expect(failed).rejects.toMatchObject(refused)
    for (const publishes of [true, false]) {
      const swallowed = outbox.transaction(async (trx, { publish }) => {
        await breaks(trx).catch(() => undefined)
        if (publishes) publish(Booked, { rentalId: id('no') })
      })
      await expect(swallowed).rejects.toMatchObject(refused)
    }
    expect(await messages(id('no'))).toEqual([])
  })

  test('the effect of inbox.once commits once, and with the memory of its message or not at all', async () => {
    const inbox = createInbox({ db, schema })
    const retry = retryPolicy({ inProcess: { tries: 1 }, roundsMs: [] })
    await using bus = createBus({ transport: memory(), source: '/test', retry })
    const once = inbox.once<{ rentalId: string }>(async ({ rentalId }, { trx }) => {
      await write(trx, rentalId)
      if (rentalId.endsWith('thrown')) throw new Error('rolled back')
      if (rentalId.endsWith('swallowed')) await breaks(trx).catch(() => undefined)
    })
    const batch = inbox.onceBatch<{ rentalId: string }>(async (rentals, [{ trx }]) => {
      for (const { rentalId } of rentals) await write(trx, `${rentalId} batch`)
    })
    await bus.subscribe('billing', [on(Booked, once)])
    await bus.subscribe('batches', [onBatch(Booked, batch)])
    const book = (rentalId: string) => bus.publish(Booked, { rentalId }, { dedupeKey: rentalId })
    await Promise.all(['in 1', 'in 2', 'in 1', 'in thrown', 'in swallowed'].map((rentalId) => book(id(rentalId))))
    await expect.poll(() => bus.stats.deadLettered).toBe(2)
    await expect.poll(() => inbox.counts).toEqual({ handled: 6, duplicates: 2, mismatches: 0 })
    const effects = ['in 1', 'in 1 batch', 'in 2', 'in 2 batch', 'in swallowed batch', 'in thrown batch']
    expect(await invoices(id('in'))).toEqual(effects.map(id))
  })
})

test('a Knex transaction that has ended is refused', async () => {
  const outbox = createOutbox({ db: fromKnex(knex), source: '/rentals', schema })
  const trx = await knex.transaction()
  await trx.commit()
  await expect(outbox.in(trx).publish(Booked, { rentalId: 'late' })).rejects.toMatchObject({ code: 'TRANSACTION' })
})
