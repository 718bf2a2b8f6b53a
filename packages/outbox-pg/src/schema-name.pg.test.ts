import { createBus, defineEvent, on } from '@waybill/core'
import pg from 'pg'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { createInbox } from './inbox/inbox.ts'
import { Maintenance } from './maintenance.ts'
import { migrate } from './migrations/index.ts'
import { createOutbox } from './outbox/outbox.ts'
import { postgres } from './postgres/transport.ts'
import { startRelay } from './relay/relay.ts'
import { quoteSchema } from './schema-name.ts'
import { logStatus } from './status/log-status.ts'
import { gate } from './test-database.ts'

const Booked = defineEvent('rental.booked', { schema: z.object({ number: z.number() }) })
const Sent = defineEvent('rental.sent', {
  schema: z.object({ number: z.number() }),
  destination: { transport: 'one' },
})

test.each([`a"b.c'd %s%I`, `$body$ \\'; --\n`, 'Ärger.x', 'x'.repeat(50)])(
  'a schema named %j works in all parts',
  async (name) => {
    // unique to this run, and still within 50 bytes
    const schema = `${process.pid % 1000}${name}`.slice(0, name.startsWith('x') ? 50 : undefined)
    const quoted = quoteSchema(schema)
    const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 8 })
    await pool.query(`DROP SCHEMA IF EXISTS ${quoted} CASCADE`)
    try {
      await migrate({ pool, schema })
      const { from, to } = await migrate({ pool, schema })
      expect(from).toBe(to)
      const outbox = createOutbox({ db: pool, source: '/a', schema, transport: 'postgres', wake: pool, keyLock: true })
      const taken = gate()
      const handled = gate()
      await using relay = startRelay({
        pool,
        outbox,
        listen: process.env.DATABASE_URL!,
        transports: { one: { publish: (messages) => messages.map(async () => taken.resolve()) } },
      })
      await using inbox = createInbox({ db: pool, schema })
      await using bus = createBus({
        transport: postgres({ pool, outbox, listen: process.env.DATABASE_URL! }),
        source: '/b',
      })
      await bus.subscribe('billing', [
        on(
          Booked,
          inbox.once(async () => handled.resolve()),
        ),
      ])
      await outbox.transaction(async (_trx, messages) => {
        messages.publish(Sent, { number: 1 })
        messages.publish(Booked, { number: 2 }, { dedupeKey: 'k' })
      })
      await Promise.all([taken.promise, handled.promise])
      await expect
        .poll(async () => (await logStatus({ pool, schema })).readers.map(({ name, lag }) => [name, lag]))
        .toEqual([
          ['relay/one', 0],
          ['service/billing', 0],
        ])
      expect((await relay.health()).filter(({ part }) => part === 'database')).toMatchObject([{ state: 'up' }])
      // partitions: made ahead, and dropped behind, under that name too
      await pool.query(`ALTER TABLE ${quoted}.outbox ALTER id RESTART WITH 250000`)
      await outbox.transaction(async (_trx, messages) => messages.publish(Booked, { number: 3 }))
      const maintenance = new Maintenance({ pool, schema: quoted, retentionMs: 0, onScheduled: () => undefined })
      await expect
        .poll(
          async () => {
            await maintenance.tidy()
            const { rows } = await pool.query(
              `SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = $1 AND c.relname ~ '^outbox_p[0-9]+$' ORDER BY 1`,
              [schema],
            )
            return rows.map(({ relname }) => relname)
          },
          { timeout: 10_000 },
        )
        .toEqual(['outbox_p2', 'outbox_p3', 'outbox_p4'])
      await maintenance.stop()
    } finally {
      await pool.query(`DROP SCHEMA ${quoted} CASCADE`)
      await pool.end()
    }
  },
)
