import { defineEvent, defineRequest, on, onBatch, respond } from '@waybill/core'
import type { Kysely, Transaction } from 'kysely'
import type { Pool, PoolClient } from 'pg'
import { expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { fromKysely } from '../kysely.ts'
import { createOutbox } from '../outbox/outbox.ts'
import { createInbox } from './inbox.ts'

interface Tables {
  invoice: { id: string; cents: number }
}
const Booked = defineEvent('rental.booked', { schema: z.object({ rentalId: z.string(), days: z.coerce.number() }) })
const Quote = defineRequest('quote', { schema: z.object({ days: z.number() }), reply: z.object({ cents: z.number() }) })
declare const db: Kysely<Tables>
declare const pool: Pool
declare const client: PoolClient

test('data and transaction are inferred through once', () => {
  const inbox = createInbox({ db: fromKysely(db) })
  on(
    Booked,
    inbox.once(async (rental, { trx, message }) => {
      expectTypeOf(rental).toEqualTypeOf<{ rentalId: string; days: number }>()
      expectTypeOf(trx).toEqualTypeOf<Transaction<Tables>>()
      expectTypeOf(message.id).toEqualTypeOf<string>()
    }),
  )
  respond(
    Quote,
    inbox.replyOnce(async ({ days }, { trx }) => {
      expectTypeOf(days).toEqualTypeOf<number>()
      expectTypeOf(trx).toEqualTypeOf<Transaction<Tables>>()
      return { cents: days * 1_500 }
    }),
  )
})

test('onceBatch infers a list of data, and contexts with the one transaction, of which there is at least one', () => {
  const inbox = createInbox({ db: fromKysely(db) })
  onBatch(
    Booked,
    inbox.onceBatch(async (rentals, contexts) => {
      expectTypeOf(rentals).toEqualTypeOf<readonly { rentalId: string; days: number }[]>()
      expectTypeOf(contexts[0].trx).toEqualTypeOf<Transaction<Tables>>()
      expectTypeOf(contexts.map(({ message }) => message.id)).toEqualTypeOf<string[]>()
    }),
    { size: 100 },
  )
  onBatch(
    Booked,
    createInbox({ db: pool }).onceBatch(async (rentals, [{ trx }]) => {
      await trx.query('select $1::int', [rentals.length])
    }),
  )
})

test('the outbox hands out the transaction of its database', () => {
  void createOutbox({ db: fromKysely(db), source: '/a' }).transaction(async (trx) => {
    expectTypeOf(trx).toEqualTypeOf<Transaction<Tables>>()
  })
  const outbox = createOutbox({ db: pool, source: '/a' })
  void outbox.transaction(async (trx) => {
    await trx.query('select $1::int', [1])
    return outbox.in(trx).publish(Booked, { rentalId: '1', days: '2' })
  })
  outbox.in(client)
  createInbox({ db: pool })
})
