import { createBus, defineEvent, on, onBatch, type WireMessage } from '@waybill/core'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { startPgBouncer, type Server } from '../../../dev/servers/index.ts'
import { createInbox } from './inbox/inbox.ts'
import { createOutbox, type Outbox } from './outbox/outbox.ts'
import { postgres } from './postgres/transport.ts'
import { startRelay } from './relay/relay.ts'
import { testDatabase } from './test-database.ts'

const schemaOf = z.object({ rentalId: z.string() })
const Booked = defineEvent('rental.booked', { schema: schemaOf })
const Ended = defineEvent('rental.ended', { schema: schemaOf })

/** As it comes since 1.24, and as it came before unless told otherwise. */
let carrying: Server
let losing: Server

beforeAll(async () => {
  const postgresUrl = process.env.DATABASE_URL!
  carrying = await startPgBouncer({ postgresUrl, direct: true })
  losing = await startPgBouncer({ postgresUrl, direct: true, settings: { max_prepared_statements: 0 } })
})
afterAll(async () => {
  await carrying?.[Symbol.asyncDispose]()
  await losing?.[Symbol.asyncDispose]()
})

/** Tables of its own, and clients of the pooler, each with a connection to it that it keeps. */
async function behind(pooler: Server) {
  const at = await testDatabase()
  const client = () => {
    const pool = new pg.Pool({ connectionString: pooler.url, max: 1 })
    pool.on('error', () => undefined)
    return pool
  }
  const [one, two, other] = [client(), client(), client()]
  const bodies = async () =>
    (await at.pool.query(`select body_text from "${at.schema}".outbox order by id`)).rows.map(
      ({ body_text }) => JSON.parse(body_text).rentalId as string,
    )
  return {
    schema: at.schema,
    direct: at.pool,
    one,
    two,
    bodies,
    /** Runs `work` while somebody holds the connection to PostgreSQL that was used last, which the next to come would get. */
    async elsewhere<R>(work: () => Promise<R>): Promise<R> {
      const holder = await other.connect()
      await holder.query('begin')
      try {
        return await work()
      } finally {
        await holder.query('rollback')
        holder.release()
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([one.end(), two.end(), other.end()])
      await at[Symbol.asyncDispose]()
    },
  }
}

type Write = (outbox: Outbox, pool: pg.Pool, rentalId: string) => Promise<unknown>

const WAYS: readonly (readonly [string, Write])[] = [
  [
    'outbox.transaction',
    (outbox, _pool, rentalId) => outbox.transaction(async (_trx, { publish }) => publish(Booked, { rentalId })),
  ],
  [
    'outbox.in',
    async (outbox, pool, rentalId) => {
      const client = await pool.connect()
      await client.query('begin')
      try {
        await outbox.in(client).publish(Booked, { rentalId })
        await client.query('commit')
      } catch (error) {
        // it is the user's own to end, and its client is fit for the next
        await expect(client.query('select 1')).rejects.toMatchObject({ code: '25P02' })
        await client.query('rollback')
        throw error
      } finally {
        client.release()
      }
    },
  ],
]

describe.each(WAYS)('%s', (_name, write) => {
  /** What a statement meets that one client prepared, then another on the same connection, then the first on another one. */
  async function threeInTurn(pooler: Server, prepare?: boolean) {
    await using at = await behind(pooler)
    const { schema, one, two } = at
    const by = (pool: pg.Pool) => createOutbox({ db: pool, source: '/test', schema, prepare })
    const results = [
      await Promise.allSettled([write(by(one), one, 'first')]),
      await Promise.allSettled([write(by(two), two, 'second')]),
      await at.elsewhere(() => Promise.allSettled([write(by(one), one, 'third')])),
    ].flat()
    return {
      errors: results.flatMap((result) => (result.status === 'rejected' ? [result.reason as Error] : [])),
      bodies: await at.bodies(),
    }
  }

  test('works through a pooler that carries prepared statements over', async () => {
    expect(await threeInTurn(carrying)).toEqual({ errors: [], bodies: ['first', 'second', 'third'] })
  })

  test('names the option where a pooler loses them, and writes nothing', async () => {
    const { errors, bodies } = await threeInTurn(losing)
    expect(errors).toMatchObject(
      ['42P05', '26000'].map((code) => ({
        code: 'CONFIG',
        message: expect.stringMatching(new RegExp(`${code}.*createOutbox\\(\\{ prepare: false \\}\\)`)),
        cause: { code },
      })),
    )
    expect(bodies).toEqual(['first'])
  })

  test('works there with prepare: false', async () => {
    expect(await threeInTurn(losing, false)).toEqual({ errors: [], bodies: ['first', 'second', 'third'] })
  })
})

test('an error about a prepared statement of the user is left as it is', async () => {
  await using at = await behind(losing)
  const outbox = createOutbox({ db: at.one, source: '/test', schema: at.schema })
  const failing = outbox.transaction(async (trx) => trx.query('execute nobody_prepared_this'))
  await expect(failing).rejects.toMatchObject({ code: '26000' })
})

test('an inbox whose statements are lost waits and gives up on nothing', async () => {
  await using at = await behind(losing)
  const { schema, direct, one, two } = at
  const handled: string[] = []
  const handling = (db: pg.Pool, name: string) =>
    createInbox({ db, schema }).once<{ rentalId: string }>(
      async ({ rentalId }) => void handled.push(`${name} ${rentalId}`),
    )
  await using bus = createBus({ transport: postgres({ pool: direct, schema }), source: '/test' })
  await bus.subscribe('one', [on(Booked, handling(one, 'one'))])
  await bus.publish(Booked, { rentalId: '1' })
  await expect.poll(() => handled).toEqual(['one 1'])
  await bus.subscribe('two', [on(Ended, handling(two, 'two'))])
  await bus.publish(Ended, { rentalId: '2' })
  const reasons = async () => (await bus.health()).flatMap(({ reason }) => reason ?? [])
  await expect.poll(reasons).toContainEqual(expect.stringContaining('createInbox({ prepare: false })'))
  await at.elsewhere(() => expect.poll(() => handled, { timeout: 20_000 }).toContain('two 2'))
  expect(bus.stats.deadLettered).toBe(0)
})

test('relay, transport and inbox work through a pooler that loses prepared statements', async () => {
  await using at = await testDatabase()
  const { schema } = at
  await using pool = Object.assign(new pg.Pool({ connectionString: losing.url, max: 6 }), {
    [Symbol.asyncDispose]: () => pool.end(),
  })
  const outbox = createOutbox({ db: pool, source: '/test', schema, transport: 'one', prepare: false })
  const inbox = createInbox({ db: pool, schema, prepare: false })
  const relayed: string[] = []
  const handled: string[] = []
  const carrier = {
    publish: (messages: readonly WireMessage[]) =>
      messages.map(async ({ body }) => void relayed.push(JSON.parse(Buffer.from(body!).toString()).rentalId)),
  }
  await using relay = startRelay({ pool, schema, outbox, transports: { one: carrier } })
  await using bus = createBus({ transport: postgres({ pool, schema }), source: '/test' })
  const once = inbox.once<{ rentalId: string }>(async ({ rentalId }) => void handled.push(rentalId))
  const batch = inbox.onceBatch<{ rentalId: string }>(async (rentals) =>
    rentals.forEach(({ rentalId }) => void handled.push(`batch ${rentalId}`)),
  )
  await bus.subscribe('single', [on(Booked, once)])
  await bus.subscribe('batch', [onBatch(Booked, batch)])
  const ids = Array.from({ length: 40 }, (_, index) => String(index))
  await Promise.all(
    ids.map(async (rentalId) => {
      await outbox.transaction(async (_trx, { publish }) => publish(Booked, { rentalId }))
      await bus.publish(Booked, { rentalId }, { dedupeKey: rentalId })
      await bus.publish(Booked, { rentalId }, { dedupeKey: rentalId })
    }),
  )
  const sorted = (list: readonly string[]) => list.toSorted()
  await expect.poll(() => sorted(relayed), { timeout: 20_000 }).toEqual(sorted(ids))
  const effects = [...ids, ...ids.map((rentalId) => `batch ${rentalId}`)]
  await expect.poll(() => sorted(handled), { timeout: 20_000 }).toEqual(sorted(effects))
  await expect.poll(() => inbox.counts).toEqual({ handled: 80, duplicates: 80, mismatches: 0 })
  const states = [...(await relay.health()), ...(await bus.health())].filter(({ state }) => state !== 'up')
  expect(states).toEqual([])
})
