import { randomBytes } from 'node:crypto'
import { createBus, defineEvent, on, onBatch, PublishError, type Codec } from '@waybill/core'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createInbox } from './inbox/inbox.ts'
import { createOutbox } from './outbox/outbox.ts'
import { postgres } from './postgres/transport.ts'
import { startRelay } from './relay/relay.ts'
import { testDatabase } from './test-database.ts'

/** Stands in every payload and header; no error may tell it. */
const MARKER = 'MARKER-7f3a'

const Booked = defineEvent('booked', { schema: z.unknown() })

const bytes: Codec = {
  contentType: 'application/octet-stream',
  encode: (data) => data as Uint8Array,
  decode: (body) => body,
}
const Raw = defineEvent('raw', { schema: z.instanceof(Uint8Array), codec: bytes })

async function fixture() {
  const at = await testDatabase()
  const { pool, schema } = at
  await pool.query(`create table "${schema}".work (done text)`)
  const outbox = createOutbox({
    db: pool,
    source: '/test',
    schema,
    transport: 'one',
    limits: { maxBodyBytes: 1_000, maxHeaderBytes: 500 },
  })
  const count = async (table: string) => (await pool.query(`select from "${schema}".${table}`)).rowCount
  return { ...at, outbox, count }
}

/** What a promise rejects with. */
const refusal = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )

const header = (value: string) => Object.assign(Object.create(null) as Record<string, string>, { note: value })

describe('over a declared limit', () => {
  test.for([
    ['a body', 'maxBodyBytes 1000', { data: MARKER.repeat(100) }],
    ['headers', 'maxHeaderBytes 500', { data: 1, options: { headers: header(MARKER.repeat(50)) } }],
  ] as const)('%s is refused inside the transaction, which rolls back whole', async ([, limit, given]) => {
    await using at = await fixture()
    const { pool, schema, outbox } = at
    const options = 'options' in given ? given.options : {}
    const collected = await refusal(
      outbox.transaction(async (trx, messages) => {
        await trx.query(`insert into "${schema}".work values ('one')`)
        messages.publish(Booked, 'fits')
        messages.publish(Booked, given.data, options)
      }),
    )
    const client = await pool.connect()
    await client.query('begin')
    await client.query(`insert into "${schema}".work values ('two')`)
    const written = await refusal(outbox.in(client).publish(Booked, given.data, options))
    for (const error of [collected, written]) {
      expect(error).toMatchObject({ code: 'PUBLISH', retryable: false, message: expect.stringContaining(limit) })
      expect(String(error)).not.toContain(MARKER)
    }
    // the transaction is whole: what is refused leaves it to its owner
    expect(client.getTransactionStatus()).toBe('T')
    await outbox.in(client).publish(Booked, 'fits')
    await client.query('rollback')
    client.release()
    expect([await at.count('work'), await at.count('outbox')]).toEqual([0, 0])
  })
})

test('any bytes of a body reach the carrier as they are', async () => {
  await using at = await fixture()
  const all = Uint8Array.from({ length: 256 }, (_, value) => value)
  const bodies = [
    new Uint8Array(),
    Uint8Array.of(0),
    Uint8Array.of(0x22, 0xc3, 0x28),
    Uint8Array.of(0xef, 0xbb, 0xbf, 0x41),
    Uint8Array.of(0xed, 0xa0, 0x80),
    Buffer.from('\\x41 \\\\ \u2028 \u{10ffff}'),
    all,
    ...Array.from({ length: 30 }, (_, index) => Uint8Array.from(randomBytes(index))),
  ]
  const seen: Uint8Array[] = []
  const carrier = {
    publish: (messages: readonly { body: Uint8Array | null }[]) =>
      messages.map(async ({ body }) => void seen.push(body!)),
  }
  await at.outbox.transaction(async (_trx, messages) => {
    for (const body of bodies) messages.publish(Raw, body)
  })
  await using relay = startRelay({ pool: at.pool, outbox: at.outbox, transports: { one: carrier } })
  await expect.poll(() => seen.length).toBe(bodies.length)
  const hex = (list: readonly Uint8Array[]) => list.map((body) => Buffer.from(body).toString('hex'))
  expect(hex(seen)).toEqual(hex(bodies))
  expect((await relay.health()).every(({ state }) => state === 'up')).toBe(true)
})

describe('tables that are missing', () => {
  test('are named with what to do by the outbox', async () => {
    await using at = await testDatabase()
    const { pool } = at
    const schema = `${at.schema}_none`
    const outbox = createOutbox({ db: pool, source: '/test', schema, transport: 'one' })
    const expected = { code: 'CONFIG', message: expect.stringMatching(/migrate/) }
    const failing = outbox.transaction(async (_trx, messages) => messages.publish(Booked, 1))
    await expect(failing).rejects.toMatchObject(expected)
    const client = await pool.connect()
    await client.query('begin')
    await expect(outbox.in(client).publish(Booked, 1)).rejects.toMatchObject(expected)
    await client.query('rollback')
    client.release()
  })

  test('an inbox waits for them, gives up on nothing, and goes on by itself', async () => {
    await using at = await testDatabase()
    const { pool, schema } = at
    const inbox = createInbox({ db: pool, schema })
    await pool.query(`alter table "${schema}".inbox rename to inbox_later`)
    await using bus = createBus({ transport: postgres({ pool, schema }), source: '/test' })
    const handled: unknown[] = []
    const once = inbox.once(async (data) => void handled.push(data))
    const batch = inbox.onceBatch<unknown>(async (datas) => void handled.push(...datas))
    await bus.subscribe('single', [on(Booked, once)])
    await bus.subscribe('batch', [onBatch(Booked, batch)])
    await bus.publish(Booked, 1)
    const reasons = async () => (await bus.health()).flatMap(({ reason }) => reason ?? [])
    const naming = expect.stringMatching(/the inbox has no table.*migrate/)
    await expect.poll(reasons).toEqual(expect.arrayContaining([naming, naming]))
    await pool.query(`alter table "${schema}".inbox_later rename to inbox`)
    await expect.poll(() => handled, { timeout: 20_000 }).toEqual([1, 1])
    expect(bus.stats.deadLettered).toBe(0)
  })
})

test('a key longer than an index row takes still keeps copies apart', async () => {
  await using at = await testDatabase()
  const { pool, schema } = at
  const long = randomBytes(6_000).toString('base64')
  const outbox = createOutbox({ db: pool, source: '/test', schema, transport: 'postgres' })
  const inbox = createInbox({ db: pool, schema })
  await using bus = createBus({ transport: postgres({ pool, outbox }), source: '/test' })
  const handled: unknown[] = []
  await bus.subscribe('billing', [
    on(
      Booked,
      inbox.once(async (data) => void handled.push(data)),
    ),
  ])
  for (const data of [1, 2]) {
    await outbox.transaction(async (_trx, messages) => messages.publish(Booked, data, { dedupeKey: long }))
  }
  for (const data of [3, 4]) await bus.publish(Booked, data, { dedupeKey: long })
  await bus.publish(Booked, 5, { dedupeKey: `${long}5` })
  await expect.poll(() => handled).toEqual([1, 5])
  expect((await pool.query(`select from "${schema}".outbox`)).rowCount).toBe(4)
})

test('an ordering key or destination too long for an index is refused, so that its row can always be moved', async () => {
  await using at = await testDatabase()
  const { pool, schema } = at
  const outbox = createOutbox({ db: pool, source: '/test', schema, transport: 'one' })
  const long = randomBytes(3_000).toString('base64')
  const Far = defineEvent('far', { schema: z.unknown(), destination: { kind: 'topic', name: long } })
  for (const [definition, options] of [
    [Booked, { orderingKey: long }],
    [Far, {}],
  ] as const) {
    const refused = outbox.transaction(async (_trx, messages) => messages.publish(definition, 1, options))
    await expect(refused).rejects.toMatchObject({
      code: 'PUBLISH',
      retryable: false,
      message: expect.stringMatching(/bytes, and PostgreSQL/),
    })
  }
  // the longest that is taken can be parked
  const orderingKey = randomBytes(512).toString('hex')
  const Name = defineEvent('near', {
    schema: z.unknown(),
    destination: { kind: 'topic', name: orderingKey.slice(0, 512) },
  })
  await outbox.transaction(async (_trx, messages) => messages.publish(Name, 1, { orderingKey }))
  const carrier = {
    publish: (messages: readonly unknown[]) =>
      messages.map(() => Promise.reject(new PublishError('no', { retryable: false }))),
  }
  await using _relay = startRelay({ pool, outbox, transports: { one: carrier } })
  await expect
    .poll(async () => (await pool.query(`select from "${schema}".outbox_retry where parked_at is not null`)).rowCount)
    .toBe(1)
})
