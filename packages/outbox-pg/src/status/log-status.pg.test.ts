import { randomBytes } from 'node:crypto'
import { defineCommand, defineEvent, PublishError, type Publisher, type WireMessage } from '@waybill/core'
import pg from 'pg'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { createOutbox } from '../outbox/outbox.ts'
import { postgres } from '../postgres/transport.ts'
import { startRelay } from '../relay/relay.ts'
import { testDatabase } from '../test-database.ts'
import { logStatus } from './log-status.ts'

const Booked = defineEvent('rental.booked', {
  schema: z.object({ number: z.number() }),
  orderingKey: () => 'one key',
})
const Mail = defineCommand('mail', { schema: z.object({ number: z.number() }) })

const failing = (error: () => PublishError | undefined): Publisher => ({
  publish: (messages) =>
    messages.map(async () => {
      const thrown = error()
      if (thrown) throw thrown
    }),
})

async function fixture() {
  const at = await testDatabase()
  const { pool, schema } = at
  const outbox = createOutbox({ db: pool, source: '/rentals', schema, transport: 'amqp' })
  const book = (...numbers: number[]) =>
    outbox.transaction(async (_trx, messages) => {
      for (const number of numbers) messages.publish(Booked, { number })
    })
  const problems = async () =>
    (await logStatus({ pool, schema })).problems.map(({ text, advice }) => `${text}. ${advice}`)
  return { ...at, outbox, book, problems }
}

test('a broker that is away is named, with what waits, since when and what to do; then no more', async () => {
  await using at = await fixture()
  let away = true
  const carrier = failing(() =>
    away ? new PublishError('connect ECONNREFUSED 10.0.0.7:5672', { scope: 'transport' }) : undefined,
  )
  await using relay = startRelay({ pool: at.pool, schema: at.schema, transports: { amqp: carrier }, outbox: at.outbox })
  await at.book(1, 2, 3)
  await expect
    .poll(at.problems)
    .toEqual([
      expect.stringMatching(
        /^relay\/amqp: broker "amqp" is away: PublishError: connect ECONNREFUSED 10\.0\.0\.7:5672, for \d+\.\d s; 3 messages wait\. bring the broker back/,
      ),
    ])
  expect((await logStatus(at)).readers).toMatchObject([
    {
      name: 'relay/amqp',
      pending: 3,
      running: true,
      destinations: [{ destination: 'topic/rental.booked', pending: 3, waiting: 0 }],
    },
  ])
  // the same reason in the health of the process that relays
  expect(await relay.health()).toContainEqual(
    expect.objectContaining({ part: 'carrier amqp', state: 'down', reason: expect.stringContaining('is away') }),
  )
  expect(await relay.health()).toContainEqual(
    expect.objectContaining({ part: 'reader relay/amqp', state: 'degraded', reason: expect.stringContaining('bring') }),
  )
  away = false
  await expect.poll(at.problems, { timeout: 10_000 }).toEqual([])
  expect((await logStatus(at)).oldestPendingSeconds).toBeNull()
  expect((await relay.health()).every(({ state }) => state === 'up')).toBe(true)
})

test('a message that is refused, and what waits behind it, is told with the error; parked ones with the command', async () => {
  await using at = await fixture()
  const carrier = failing(() => new PublishError('body over 4 MiB', { retryable: false }))
  await using relay = startRelay({ pool: at.pool, schema: at.schema, transports: { amqp: carrier }, outbox: at.outbox })
  await at.book(1, 2)
  await expect
    .poll(at.problems)
    .toEqual([
      expect.stringMatching(/1 messages to topic\/rental\.booked were refused or wait.*parked list; replay or discard/),
      expect.stringMatching(/1 messages .*parked: PublishError: body over 4 MiB.*parked list/),
    ])
  // waiting for an hour is no longer a thing for the day
  await at.pool.query(`UPDATE "${at.schema}".outbox_retry SET created_at = created_at - interval '1 hour'`)
  expect(await relay.health()).toContainEqual(
    expect.objectContaining({
      part: 'reader relay/amqp',
      state: 'degraded',
      reason: expect.stringMatching(/60 min old/),
    }),
  )
})

test('a writer that does not commit is named by pid and application, in status and health', async () => {
  await using at = await fixture()
  await using relay = startRelay({ pool: at.pool, schema: at.schema, transports: { amqp: failing(() => undefined) } })
  const client = await at.pool.connect()
  try {
    await client.query('BEGIN')
    await at.outbox.in(client).publish(Booked, { number: 1 })
    const { rows } = await client.query('SELECT pg_backend_pid() AS pid')
    const [writer] = (await logStatus(at)).writers
    expect(writer).toMatchObject({ pid: rows[0].pid, application: at.schema, state: 'idle in transaction' })
    expect(await at.problems()).toEqual([])
  } finally {
    await client.query('ROLLBACK')
    client.release()
  }
  await expect.poll(async () => (await logStatus(at)).writers).toEqual([])
  expect((await relay.health()).find(({ part }) => part === 'database')).toMatchObject({ state: 'up' })
})

test('readers that nobody runs, carriers that nobody serves, rows in the DEFAULT partition', async () => {
  await using at = await fixture()
  const { pool, schema } = at
  await using transport = postgres({ pool, schema })
  await transport.declare!({ destinations: [{ kind: 'queue', name: 'mail' }], subscriptions: [] })
  const own = createOutbox({ db: pool, source: '/a', schema, transport: 'postgres' })
  await own.transaction(async (_trx, messages) => messages.send(Mail, { number: 1 }))
  await at.book(1, 2)
  await pool.query(`UPDATE "${schema}".reader SET seen_at = seen_at - interval '3 days'`)
  await pool.query(`ALTER TABLE "${schema}".outbox ALTER id RESTART WITH 5000000`)
  await at.book(3)
  expect(await at.problems()).toEqual([
    expect.stringMatching(
      /^queue\/mail: nobody runs it, seen last 3 days ago; it holds 1 messages and the log from id 1 on\. start the service.*readers drop queue\/mail$/,
    ),
    expect.stringMatching(/^3 of the newest messages are for carrier "amqp", which no reader has ever read/),
    expect.stringMatching(/^1 rows lie in the DEFAULT partition/),
  ])
})

test('a reader that waits since too many ids are open names who keeps them so, also in another database', async () => {
  await using at = await fixture()
  const { pool, schema } = at
  const name = `test_${randomBytes(6).toString('hex')}`
  await pool.query(`CREATE DATABASE ${name}`)
  const url = new URL(at.connectionString)
  url.pathname = `/${name}`
  const other = new pg.Client({ connectionString: url.href, application_name: 'importer' })
  await other.connect()
  try {
    await other.query('BEGIN; CREATE TABLE big (n int)')
    const pid = (await other.query('SELECT pg_backend_pid() AS pid')).rows[0].pid as number
    const taken: string[] = []
    const carrier = { publish: (all: readonly WireMessage[]) => all.map(async ({ id }) => void taken.push(id)) }
    await using _relay = startRelay({ pool, outbox: at.outbox, transports: { amqp: carrier } })
    // every second id is burnt, as a rollback would
    await pool.query(`
      INSERT INTO "${schema}".outbox (message_id, transport, kind, destination, type, bucket, attributes, content_type, body_text)
      SELECT 'm' || n, 'amqp', 'topic', 'rental.booked', 'rental.booked', 0, '{}', 'application/json', '1'
      FROM (SELECT n, nextval(pg_get_serial_sequence('"${schema}".outbox', 'id')) FROM generate_series(1, 10100) n OFFSET 0) burnt`)
    await expect
      .poll(at.problems, { timeout: 20_000 })
      .toEqual([
        expect.stringMatching(
          new RegExp(
            `^relay/amqp: 10\\d{3} ranges .* reads no further: pid ${pid} \\(user .*, application importer, idle in transaction\\) has been writing in database ${name} for \\d.*end it: SELECT pg_terminate_backend`,
          ),
        ),
      ])
    expect(taken.length).toBeLessThan(10_100)
    await other.query('ROLLBACK')
    await expect.poll(() => new Set(taken).size, { timeout: 20_000 }).toBe(10_100)
    await expect.poll(at.problems, { timeout: 10_000 }).toEqual([])
  } finally {
    await other.end()
    await pool.query(`DROP DATABASE ${name}`)
  }
})
