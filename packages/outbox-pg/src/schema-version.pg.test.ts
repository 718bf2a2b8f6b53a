import { randomBytes } from 'node:crypto'
import { defineEvent } from '@waybill/core'
import pg from 'pg'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { createOutbox } from './outbox/outbox.ts'
import { postgres } from './postgres/transport.ts'
import { startRelay, type Relay } from './relay/relay.ts'
import { testDatabase } from './test-database.ts'

const Booked = defineEvent('rental.booked', { schema: z.object({ number: z.number() }) })
const silent = { publish: (messages: readonly unknown[]) => messages.map(() => Promise.resolve()) }
const reasonOf = async (relay: Relay) =>
  (await relay.health()).find(({ part }) => part === 'reader relay/one')?.reason ?? ''

test('a migration that shuts old readers out takes the lease of one that runs, and lets none take it', async () => {
  await using at = await testDatabase()
  const { pool, schema } = at
  const query = (text: string) => pool.query(text.replaceAll('$S', `"${schema}"`))
  await using relay = startRelay({ pool, schema, leaseMs: 500, transports: { one: silent } })
  const leased = async () => (await query('SELECT leased_by FROM $S.reader WHERE leased_until > now()')).rowCount
  await expect.poll(leased).toBe(1)
  await query('UPDATE $S.meta SET min_relay = 3')
  await expect.poll(() => reasonOf(relay), { timeout: 5_000 }).toContain('update @waybill/outbox-pg')
  await expect.poll(leased).toBe(0)
  const outbox = createOutbox({ db: pool, source: '/a', schema })
  await outbox.transaction(async (_trx, messages) => messages.publish(Booked, { number: 1 }))
  await using transport = postgres({ pool, schema })
  await expect(
    transport.declare!({ destinations: [{ kind: 'queue', name: 'mail' }], subscriptions: [] }),
  ).rejects.toMatchObject({ code: 'CONFIG' })
  expect((await query('SELECT position FROM $S.reader')).rows).toEqual([{ position: '0' }])
  await query('UPDATE $S.meta SET min_relay = 2')
  await expect.poll(() => reasonOf(relay), { timeout: 10_000 }).toBe('')
})

test('tables that are missing, or older than the code, are named with what to do', async () => {
  await using at = await testDatabase()
  const { pool, schema } = at
  await pool.query(`UPDATE "${schema}".meta SET schema_version = 1`)
  await pool.query(`ALTER TABLE "${schema}".reader DROP COLUMN settings, DROP COLUMN trouble`)
  await using old = startRelay({ pool, schema, transports: { one: silent } })
  await expect.poll(() => reasonOf(old)).toMatch(/version 1, and this release needs 4.*migrate/)
  await using none = startRelay({ pool, schema: `${schema}_none`, transports: { one: silent } })
  await expect.poll(() => reasonOf(none)).toMatch(/tables in schema .* are missing: run "waybill-outbox migrate"/)
})

test('a second relay with other settings waits, says which, and takes over when the first has gone', async () => {
  await using at = await testDatabase()
  const { pool, schema } = at
  const first = startRelay({ pool, schema, transports: { one: silent } })
  await expect.poll(() => reasonOf(first)).toBe('')
  await using second = startRelay({ pool, schema, transports: { one: silent }, onParked: 'skip' })
  await expect
    .poll(() => reasonOf(second))
    .toMatch(/runs elsewhere with other settings.*block-key.*than this one has.*skip/)
  await first.stop()
  await expect.poll(() => reasonOf(second), { timeout: 10_000 }).toBe('')
})

test('a transaction of another database is refused, and what it did rolls back with the error', async () => {
  await using at = await testDatabase()
  const name = `test_${randomBytes(6).toString('hex')}`
  await at.pool.query(`CREATE DATABASE ${name}`)
  const url = new URL(at.connectionString)
  url.pathname = `/${name}`
  const other = new pg.Client({ connectionString: url.href })
  try {
    await other.connect()
    await other.query('BEGIN')
    const outbox = createOutbox({ db: at.pool, source: '/a', schema: at.schema })
    await expect(outbox.in(other).publish(Booked, { number: 1 })).rejects.toMatchObject({
      code: 'CONFIG',
      message: expect.stringContaining('of the database that has the outbox'),
    })
    expect((await other.query('COMMIT')).command).toBe('ROLLBACK')
  } finally {
    await other.end()
    await at.pool.query(`DROP DATABASE ${name}`)
  }
})
