import { createBus, defineCommand, defineEvent, defineRequest, on, respond, retryPolicy, shared } from '@waybill/core'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { createInbox } from './inbox/inbox.ts'
import { createOutbox } from './outbox/outbox.ts'
import { postgres } from './postgres/transport.ts'
import { testDatabase } from './test-database.ts'

const Booked = defineEvent('rental.booked', {
  schema: z.object({ skiId: z.string(), number: z.number() }),
  orderingKey: ({ skiId }) => skiId,
})
const Mail = defineCommand('mail', { schema: z.object({ number: z.number() }) })
const Quote = defineRequest('quote', {
  schema: z.object({ days: z.number() }),
  reply: z.object({ cents: z.number() }),
})

test('outbox to inbox over PostgreSQL alone: each effect once and in order, failures included', async () => {
  await using database = await testDatabase()
  const { pool, schema } = database
  await pool.query(`create table "${schema}".invoice (at int generated always as identity, ski text, number int)`)
  const outbox = createOutbox({ db: pool, source: '/rentals', schema, transport: 'postgres' })
  const inbox = createInbox({ db: pool, schema })
  await using bus = createBus({
    transport: postgres({ pool, outbox }),
    source: '/billing',
    retry: retryPolicy({ inProcess: { tries: 5, firstMs: 1, maxMs: 5 } }),
  })
  let calls = 0
  await bus.subscribe('billing', [
    on(
      Booked,
      inbox.once(async ({ skiId, number }, { trx }) => {
        await trx.query(`insert into "${schema}".invoice (ski, number) values ($1, $2)`, [skiId, number])
        if (++calls % 7 === 0) throw new Error('now and then')
      }),
    ),
  ])
  for (let number = 0; number < 20; number++) {
    await outbox.transaction(async (_trx, messages) => {
      for (const skiId of ['a', 'b', 'c']) messages.publish(Booked, { skiId, number })
    })
  }
  const rows = async () => (await pool.query(`select ski, number from "${schema}".invoice order by at`)).rows
  await expect.poll(async () => (await rows()).length, { timeout: 10_000 }).toBe(60)
  for (const ski of ['a', 'b', 'c']) {
    const numbers = (await rows()).filter((row) => row.ski === ski).map(({ number }) => number)
    expect(numbers).toEqual(Array.from({ length: 20 }, (_, number) => number))
  }
})

test('five hundred requests at once get their own replies; a failing command is parked and replayed', async () => {
  await using database = await testDatabase({ max: 20 })
  const { pool, schema } = database
  await using transport = postgres({ pool, schema })
  await using bus = createBus({
    transport: shared(transport),
    source: '/pricing',
    retry: retryPolicy({ inProcess: { tries: 1 }, roundsMs: [1] }),
  })
  let broken = true
  const mails: number[] = []
  await bus.subscribe('pricing', [respond(Quote, ({ days }) => ({ cents: days * 1_500 }))])
  await bus.subscribe('mailer', [
    on(Mail, ({ number }) => {
      if (broken) throw new Error('smtp said no')
      mails.push(number)
    }),
  ])
  const replies = await Promise.all(
    Array.from({ length: 500 }, (_, days) => bus.request(Quote, { days }, { timeoutMs: 10_000 })),
  )
  expect(replies.map(({ cents }) => cents)).toEqual(Array.from({ length: 500 }, (_, days) => days * 1_500))
  await bus.send(Mail, { number: 1 })
  const parked = async () => {
    const found = []
    for await (const one of bus.parked.list()) found.push(one)
    return found
  }
  await expect.poll(async () => (await parked()).length, { timeout: 10_000 }).toBe(1)
  const [one] = await parked()
  expect(one!.reason).toContain('smtp said no')
  broken = false
  await Promise.all(bus.parked.replay([one!.handle]))
  await expect.poll(() => mails).toEqual([1])
})
