import { randomBytes } from 'node:crypto'
import { createBus, defineEvent, on } from '@waybill/core'
import pg from 'pg'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { createInbox } from '../inbox/inbox.ts'
import { createOutbox } from '../outbox/outbox.ts'
import { parkedPg } from '../parked-store.ts'
import { postgres } from '../postgres/transport.ts'
import { startRelay } from '../relay/relay.ts'
import { logStatus } from '../status/log-status.ts'
import { gate, testDatabase } from '../test-database.ts'
import { migrate } from './index.ts'
import { rolesSql } from './roles.ts'

const Booked = defineEvent('rental.booked', { schema: z.object({ number: z.number() }) })
const Served = defineEvent('rental.served', {
  schema: z.object({ number: z.number() }),
  destination: { transport: 'postgres' },
})

test('three roles: each does its own work, and is refused what is not', async () => {
  await using at = await testDatabase()
  const { pool: owner, schema, connectionString } = at
  const suffix = randomBytes(4).toString('hex')
  const [writer, relay, consumer, service] = ['writer', 'relay', 'consumer', 'service'].map(
    (role) => `${role} "${suffix}`,
  ) as [string, string, string, string]
  const quoted = (role: string) => `"${role.replaceAll('"', '""')}"`
  const roles = [writer, relay, consumer, service]
  const pools: pg.Pool[] = []
  const poolOf = (user: string) => {
    const url = new URL(connectionString)
    url.username = encodeURIComponent(user)
    const pool = new pg.Pool({ connectionString: url.href, max: 5 })
    pools.push(pool)
    return pool
  }
  const sql = rolesSql({ schema, writer, relay, consumer })
  try {
    await owner.query(sql)
    await owner.query(sql)
    await owner.query(
      `CREATE ROLE ${quoted(service)}; GRANT ${[writer, relay, consumer].map(quoted).join(', ')} TO ${quoted(service)}`,
    )
    for (const role of roles) await owner.query(`ALTER ROLE ${quoted(role)} LOGIN`)

    const write = poolOf(writer)
    const outbox = createOutbox({ db: write, source: '/a', schema, transport: 'amqp' })
    await outbox.transaction(async (_trx, messages) => {
      messages.publish(Booked, { number: 1 })
      messages.publish(Booked, { number: 2 }, { dedupeKey: 'k' })
      messages.publish(Booked, { number: 3 }, { deliverAt: new Date() })
      messages.publish(Served, { number: 4 })
    })
    const client = await write.connect()
    await client.query('BEGIN')
    await outbox.in({ query: (text, values) => client.query(text, values) }).publish(Booked, { number: 5 })
    await client.query('COMMIT')
    client.release()

    const taken: unknown[] = []
    const run = startRelay({
      pool: poolOf(relay),
      schema,
      transports: { amqp: { publish: (messages) => messages.map(async ({ id }) => void taken.push(id)) } },
    })
    await expect.poll(() => taken.length, { timeout: 10_000 }).toBe(4)
    expect((await run.health()).filter(({ state }) => state !== 'up')).toEqual([])
    // what was confirmed is written down a moment later
    const looking = poolOf(relay)
    await expect
      .poll(async () => (await logStatus({ pool: looking, schema })).readers, { timeout: 10_000 })
      .toMatchObject([{ name: 'relay/amqp', pending: 0 }])
    await run.stop()

    const consume = poolOf(consumer)
    await createInbox({ db: consume, schema }).sweep()
    for await (const _ of parkedPg({ pool: consume, schema }).list()) expect.unreachable()

    // a service on PostgreSQL as carrier is all three
    const handled = gate()
    const both = poolOf(service)
    const inbox = createInbox({ db: both, schema })
    await using bus = createBus({ transport: postgres({ pool: both, schema }), source: '/b' })
    await bus.subscribe('billing', [
      on(
        Served,
        inbox.once(async () => handled.resolve()),
      ),
    ])
    await handled.promise

    const refusals: [string, string][] = [
      [writer, 'SELECT FROM $S.outbox'],
      [writer, 'UPDATE $S.outbox SET type = type'],
      [writer, 'DELETE FROM $S.outbox_dedupe'],
      [writer, 'SELECT FROM $S.reader'],
      [writer, 'SELECT FROM $S.inbox'],
      [writer, 'SELECT $S.drop_partitions()'],
      [relay, 'UPDATE $S.outbox SET type = type'],
      [relay, 'DELETE FROM $S.outbox'],
      [relay, 'SELECT FROM $S.inbox'],
      [relay, 'UPDATE $S.meta SET min_relay = 9'],
      [relay, 'CREATE TABLE $S.mine (a int)'],
      [consumer, 'SELECT FROM $S.outbox'],
      [consumer, `INSERT INTO $S.outbox (type) VALUES ('a')`],
      [consumer, 'SELECT FROM $S.reader'],
      [consumer, 'SELECT $S.make_partitions()'],
    ]
    for (const [role, text] of refusals) {
      const refused = poolOf(role).query(text.replaceAll('$S', `"${schema}"`))
      await expect(refused, `${role}: ${text}`).rejects.toMatchObject({ code: '42501' })
    }
  } finally {
    await Promise.all(pools.map((pool) => pool.end()))
    for (const role of roles) {
      await owner.query(`DROP OWNED BY ${quoted(role)}`).catch(() => undefined)
      await owner.query(`DROP ROLE IF EXISTS ${quoted(role)}`)
    }
  }
})

test('as managed services give it: an owner who may make schemas and no roles', async () => {
  const admin = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 1 })
  const suffix = randomBytes(4).toString('hex')
  const [owner, writer, relay, consumer] = ['owner', 'writer', 'relay', 'consumer'].map(
    (role) => `${role}_${suffix}`,
  ) as [string, string, string, string]
  const url = new URL(process.env.DATABASE_URL!)
  url.username = owner
  const pool = new pg.Pool({ connectionString: url.href, max: 4 })
  const schema = `test_${suffix}`
  const sql = rolesSql({ schema, writer, relay, consumer })
  try {
    const { rows } = await admin.query('SELECT current_database() AS name')
    await admin.query(`CREATE ROLE ${owner} LOGIN; GRANT CREATE ON DATABASE "${rows[0].name}" TO ${owner}`)
    await migrate({ pool, schema })
    await expect(pool.query(sql)).rejects.toMatchObject({ code: '42501' })
    await admin.query([writer, relay, consumer].map((role) => `CREATE ROLE ${role}`).join(';'))
    await pool.query(sql)
    const may = await admin.query(`SELECT has_table_privilege($1, $2, 'INSERT') AS may`, [writer, `${schema}.outbox`])
    expect(may.rows).toEqual([{ may: true }])

    const outbox = createOutbox({ db: pool, source: '/a', schema, transport: 'amqp' })
    const taken: unknown[] = []
    const publish = (messages: readonly { readonly id: string }[]) =>
      messages.map(async ({ id }) => void taken.push(id))
    await using _relay = startRelay({ pool, outbox, transports: { amqp: { publish } } })
    await outbox.transaction(async (_trx, messages) => messages.publish(Booked, { number: 1 }))
    await expect.poll(() => taken, { timeout: 10_000 }).toHaveLength(1)
  } finally {
    await pool.end()
    await admin.query(`DROP OWNED BY ${owner} CASCADE`)
    await admin.query(`DROP ROLE IF EXISTS ${[owner, writer, relay, consumer].join(', ')}`)
    await admin.end()
  }
})
