import { defineCommand, defineEvent, type WireMessage } from '@waybill/core'
import pg from 'pg'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { startRelay } from '../relay/relay.ts'
import { testDatabase } from '../test-database.ts'
import { createOutbox } from './outbox.ts'

const schemaOf = z.object({ number: z.number() })
const Mailed = defineCommand('rental.mail', { schema: schemaOf, destination: { transport: 'amqp' } })
const Logged = defineEvent('rental.logged', { schema: schemaOf, destination: { transport: 'kafka' } })

const taking = (bodies: string[]) => ({
  publish: (messages: readonly WireMessage[]) =>
    messages.map(async ({ body }) => void bodies.push(new TextDecoder().decode(body!))),
})

test('one outbox for several transports: what one transaction wrote leaves on each, or on none', async () => {
  await using database = await testDatabase()
  const { pool, schema } = database
  const outbox = createOutbox({ db: pool, source: '/rentals', schema })
  const amqp: string[] = []
  const kafka: string[] = []
  await using _relay = startRelay({ outbox, pool, schema, transports: { amqp: taking(amqp), kafka: taking(kafka) } })
  const write = (number: number, fails: boolean) =>
    outbox.transaction(async (_trx, messages) => {
      messages.send(Mailed, { number })
      messages.publish(Logged, { number })
      if (fails) throw new Error('rolled back')
    })
  await expect(write(1, true)).rejects.toThrow('rolled back')
  await write(2, false)
  await expect.poll(() => [amqp, kafka], { timeout: 10_000 }).toEqual([['{"number":2}'], ['{"number":2}']])
})

test('several messages are one statement, prepared once for each connection unless told otherwise', async () => {
  await using database = await testDatabase()
  const { connectionString, schema } = database
  const pool = new pg.Pool({ connectionString, max: 1 })
  try {
    const prepared = async () =>
      (await pool.query(`select statement from pg_prepared_statements where statement like '%${schema}%.outbox %'`))
        .rows
    const write = async (prepare: boolean) => {
      const outbox = createOutbox({ db: pool, source: '/rentals', schema, transport: 'none', prepare })
      await outbox.transaction(async (_trx, messages) => {
        for (let number = 0; number < 3; number++) messages.publish(Logged, { number })
      })
      await outbox.transaction(async (trx, messages) => {
        messages.publish(Logged, { number: 3 })
        await outbox.in(trx).publish(Logged, { number: 4 })
      })
    }
    await write(false)
    expect(await prepared()).toEqual([])
    await write(true)
    await write(true)
    // one for one row, one for several
    expect(await prepared()).toHaveLength(2)
    const { rows } = await pool.query(`select distinct xid from "${schema}".outbox`)
    expect(rows).toHaveLength(6)
    const order = await pool.query(`select body_text from "${schema}".outbox order by id limit 5`)
    expect(order.rows.map(({ body_text }) => JSON.parse(body_text).number)).toEqual([0, 1, 2, 4, 3])
  } finally {
    await pool.end()
  }
})
