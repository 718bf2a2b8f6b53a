import { createBus, defineEvent, defineRequest, on, respond, retryPolicy } from '@waybill/core'
import { memory } from '@waybill/core/memory'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { createInbox } from './inbox/inbox.ts'
import { createOutbox } from './outbox/outbox.ts'
import { testDatabase } from './test-database.ts'

const schemaOf = z.object({ number: z.number() })
const Booked = defineEvent('booked', { schema: schemaOf })
const Noted = defineEvent('noted', { schema: schemaOf })
const Quote = defineRequest('quote', { schema: schemaOf, reply: schemaOf })

const refused = { code: 'TRANSACTION' }
const timeoutMs = 2_000

async function setup() {
  const database = await testDatabase()
  const { pool, schema } = database
  const retry = retryPolicy({ inProcess: { tries: 1 }, roundsMs: [] })
  const bus = createBus({ transport: memory(), source: '/test', retry })
  const noted: number[] = []
  await bus.subscribe('notes', [on(Noted, ({ number }) => void noted.push(number)), respond(Quote, (data) => data)])
  return {
    pool,
    bus,
    noted,
    outbox: createOutbox({ db: pool, source: '/test', schema, transport: 'none' }),
    inbox: createInbox({ db: pool, schema }),
    rows: async (table: string) => (await pool.query(`select from "${schema}"."${table}"`)).rowCount,
    async [Symbol.asyncDispose]() {
      await bus.stop()
      await database[Symbol.asyncDispose]()
    },
  }
}

test('inside outbox.transaction a bus refuses to ask and to send, unless it is to bypass the outbox', async () => {
  await using at = await setup()
  const { bus, outbox } = at
  const failing = outbox.transaction(async (_trx, messages) => {
    messages.publish(Booked, { number: 1 })
    await expect(bus.request(Quote, { number: 1 }, { timeoutMs })).rejects.toMatchObject(refused)
    expect(() => bus.gather(Quote, { number: 1 }, { timeoutMs })).toThrow(expect.objectContaining(refused))
    await expect(bus.publish(Noted, { number: 1 })).rejects.toThrow(/bus\.publish inside outbox\.transaction/)
    await bus.publish(Noted, { number: 2 }, { outbox: 'bypass' })
    throw new Error('rolled back')
  })
  await expect(failing).rejects.toThrow('rolled back')
  // what bypassed the outbox has left all the same
  await expect.poll(() => at.noted).toEqual([2])
  expect(await at.rows('outbox')).toBe(0)
  expect(await bus.request(Quote, { number: 3 }, { timeoutMs })).toEqual({ number: 3 })
})

test('the transaction is known until it has ended, not only while its work runs', async () => {
  await using at = await setup()
  let early: unknown
  await at.outbox.transaction(async (_trx, messages) => {
    // an asynchronous schema is checked after the work, before COMMIT
    const late = z.object({ number: z.number() }).refine(async () => {
      early = await at.bus.publish(Noted, { number: 1 }).catch((error: unknown) => error)
      return true
    })
    messages.publish(defineEvent('late', { schema: late }), { number: 1 })
    await Promise.resolve()
  })
  expect(early).toMatchObject(refused)
  await at.bus.publish(Noted, { number: 4 })
  await expect.poll(() => at.noted).toEqual([4])
})

test('inside inbox.once and inbox.replyOnce too: the effect is rolled back with the refusal', async () => {
  await using at = await setup()
  const { bus, inbox } = at
  const Doubled = defineRequest('doubled', { schema: schemaOf, reply: schemaOf })
  await bus.subscribe('billing', [
    on(
      Booked,
      inbox.once(async ({ number }) => {
        await bus.publish(Noted, { number })
      }),
    ),
    respond(
      Doubled,
      inbox.replyOnce(async ({ number }) => {
        const quote = await bus.request(Quote, { number }, { timeoutMs })
        return { number: 2 * quote.number }
      }),
    ),
  ])
  await bus.publish(Booked, { number: 1 })
  await expect(bus.request(Doubled, { number: 1 }, { timeoutMs })).rejects.toMatchObject({ remoteCode: 'TRANSACTION' })
  await expect.poll(() => bus.stats.deadLettered).toBe(1)
  for await (const { reason } of bus.parked.list()) expect(reason).toMatch(/bus\.publish inside inbox\.once/)
  expect([at.noted, await at.rows('inbox')]).toEqual([[], 0])
})
