import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { rentSportDatabase } from '../database/test-database.ts'
import { bookRental, type RegisterPayment } from './book.ts'
import { startBusinessClock, noteBusinessTime, businessNow } from './business-time.ts'
import { expireRental, overdueRentals } from './expire.ts'
import { returnRental } from './return.ts'
import { settleRental } from './settle.ts'

let at: Awaited<ReturnType<typeof rentSportDatabase>>
beforeAll(async () => {
  at = await rentSportDatabase()
})
afterAll(() => at[Symbol.asyncDispose]())

const noPayment: RegisterPayment = () => Promise.resolve()
const order = { equipment_id: 1, user_id: 1, days: 2, payment_method: 'card:4242424242424242' }

interface Row {
  readonly xid: string
  readonly type: string
  readonly transport: string
  readonly destination: string
  readonly subject: string | null
  readonly body_text: string
}
const rowsAbout = async (field: string, value: number) =>
  (
    await sql<Row>`select xid::text, type, transport, destination, subject, body_text from waybill.outbox
      where body_text::jsonb ->> ${field} = ${String(value)} order by id`.execute(at.db)
  ).rows

async function activeRental(days = 2) {
  const rental = await bookRental(at.outbox, noPayment, { ...order, days })
  await at.outbox.transaction((trx, messages) =>
    settleRental(trx, messages, { rental_id: rental.id, status: 'COMPLETED', message: '' }),
  )
  return rental
}

test('a rental that fails half-way leaves nothing: no rental, no message', async () => {
  const broken: RegisterPayment = () => Promise.reject(new Error('the payment table is broken'))
  const count = async () =>
    (
      await sql<{ n: string }>`select (select count(*) from rentsport.rental) || '/' ||
      (select count(*) from waybill.outbox) as n`.execute(at.db)
    ).rows[0]!.n
  const before = await count()
  await expect(bookRental(at.outbox, broken, order)).rejects.toThrow('the payment table is broken')
  expect(await count()).toBe(before)
})

test('unknown equipment and users are refused with their field', async () => {
  await expect(bookRental(at.outbox, noPayment, { ...order, equipment_id: 999 })).rejects.toMatchObject({
    code: 'UNKNOWN_EQUIPMENT',
    status: 404,
    field: 'equipment_id',
  })
  await expect(bookRental(at.outbox, noPayment, { ...order, user_id: 999 })).rejects.toMatchObject({
    code: 'UNKNOWN_USER',
    field: 'user_id',
  })
})

test('of the last unit only one of many gets it', async () => {
  await sql`update rentsport.equipment set units = 1 where id = 24`.execute(at.db)
  const all = await Promise.allSettled(
    Array.from({ length: 8 }, () => bookRental(at.outbox, noPayment, { ...order, equipment_id: 24 })),
  )
  expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  for (const result of all) {
    if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'NOT_AVAILABLE', status: 409 })
  }
})

test('an expiry writes state, notification and event in one transaction, for two brokers', async () => {
  const rental = await activeRental()
  await sql`update rentsport.rental set ends_at = now() - interval '1 minute' where id = ${rental.id}`.execute(at.db)
  expect(await overdueRentals(at.db, 10)).toContain(rental.id)

  const both = await Promise.all([expireRental(at.outbox, rental.id), expireRental(at.outbox, rental.id)])
  expect(both.sort()).toEqual([false, true])

  const event = (await rowsAbout('rental_id', rental.id)).find(({ type }) => type === 'rental.expired')!
  const { rows } = await sql<Row>`select xid::text, type, transport, destination, subject, body_text from waybill.outbox
    where xid::text = ${event.xid} order by id`.execute(at.db)
  expect(rows.map(({ type, transport, destination, subject }) => [type, transport, destination, subject])).toEqual([
    ['notification.rental-expired', 'amqp', 'notifications/status', 'renter.RENTAL_EXPIRED'],
    ['rental.expired', 'kafka', 'rentsport.rentals', null],
  ])
  expect(Object.keys(JSON.parse(rows[0]!.body_text) as object)).toEqual([
    'type',
    'inventory_id',
    'user_id',
    'message',
    'timestamp',
  ])
})

test('rental hours make maintenance due, and the owner hears of it once', async () => {
  await sql`update rentsport.equipment set rented_hours = 200, maintained_at_hours = 0 where id = 1`.execute(at.db)
  const rental = await activeRental(2)
  await sql`update rentsport.rental set ends_at = now() - interval '1 minute' where id = ${rental.id}`.execute(at.db)
  await expireRental(at.outbox, rental.id)
  const notices = (await rowsAbout('inventory_id', 1)).filter(({ subject }) => subject === 'owner.MAINTENANCE_REQUIRED')
  expect(notices).toHaveLength(1)
  expect(JSON.parse(notices[0]!.body_text)).toMatchObject({
    type: 'MAINTENANCE_REQUIRED',
    inventory_id: 1,
    user_id: 101,
  })
})

test('a payment that failed cancels the rental with the reason; told twice, it says so once', async () => {
  const rental = await bookRental(at.outbox, noPayment, order)
  const outcome = { rental_id: rental.id, status: 'FAILED', message: 'insufficient funds' } as const
  for (let time = 0; time < 2; time++) {
    await at.outbox.transaction((trx, messages) => settleRental(trx, messages, outcome))
  }
  const types = (await rowsAbout('rental_id', rental.id)).map(({ type }) => type)
  expect(types).toEqual(['rental.booked', 'rental.cancelled'])
  await expect(returnRental(at.outbox, rental.id)).rejects.toMatchObject({ code: 'NOT_RETURNABLE', status: 409 })
})

test('business time goes on from where it was, whatever the speed', async () => {
  await startBusinessClock(at.db, 1_000_000)
  const fast = await businessNow(at.db)
  await noteBusinessTime(at.db)
  await startBusinessClock(at.db, 1)
  const slow = await businessNow(at.db)
  expect(slow.getTime()).toBeGreaterThanOrEqual(fast.getTime())
})
