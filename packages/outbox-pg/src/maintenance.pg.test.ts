import { defineCommand, defineEvent } from '@waybill/core'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { Maintenance } from './maintenance.ts'
import { createOutbox } from './outbox/outbox.ts'
import { postgres } from './postgres/transport.ts'
import { testDatabase } from './test-database.ts'

const Booked = defineEvent('rental.booked', { schema: z.object({ number: z.number() }) })
const Mail = defineCommand('mail', { schema: z.object({ number: z.number() }) })

test('partitions are made ahead and dropped behind what every reader has passed, never with rows that are needed', async () => {
  await using database = await testDatabase()
  const { pool, schema } = database
  const outbox = createOutbox({ db: pool, source: '/a', schema, transport: 'postgres' })
  const book = (number: number) => outbox.transaction(async (_trx, messages) => messages.publish(Booked, { number }))
  const jumpTo = (id: number) => pool.query(`alter table "${schema}".outbox alter id restart with ${id}`)
  const partitions = async () => {
    const { rows } = await pool.query(
      `select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
       where i.inhparent = '"${schema}".outbox'::regclass and c.relname <> 'outbox_default' order by 1`,
    )
    return rows.map(({ relname }) => relname)
  }
  const maintenance = new Maintenance({ pool, schema: `"${schema}"`, retentionMs: 0, onScheduled: () => undefined })
  const seen: number[] = []
  await using transport = postgres({ pool, outbox })
  const subscription = await transport.subscribe(
    {
      service: 'billing',
      sources: [{ kind: 'topic', name: 'rental.booked' }],
      mode: 'compete',
      ackBefore: false,
      maxOpen: 10,
      maxOpenBytes: 1e6,
      start: 'earliest',
    },
    async ({ message }) => {
      seen.push(JSON.parse(new TextDecoder().decode(message.body!)).number)
      return { outcome: 'ack' }
    },
  )
  await expect.poll(partitions).toEqual(['outbox_p0', 'outbox_p1', 'outbox_p2'])
  await book(1)
  await outbox.transaction(async (_trx, messages) => messages.send(Mail, { number: 1 }))
  await jumpTo(250_000)
  await book(2)
  // past the last range: the default partition takes it
  await jumpTo(950_000)
  await book(3)
  await expect.poll(() => seen, { timeout: 10_000 }).toEqual([1, 2, 3])
  // ids that were jumped over are waited for until whoever was writing then has ended; what stops before that keeps them
  const waitedFor = async () => (await pool.query(`select from "${schema}".reader where open <> '{}'`)).rowCount
  await expect.poll(waitedFor, { timeout: 20_000 }).toBe(0)
  await subscription.stop()
  // the transport tidies up as well, and a drop that finds a lock taken is left to the next round
  const tidied = async () => {
    await maintenance.tidy()
    return partitions()
  }
  // p0 holds a command whose queue has no reader yet; in p9's range the default partition may hold a row already
  await expect.poll(tidied, { timeout: 10_000 }).not.toContain('outbox_p2')
  await expect
    .poll(tidied, { timeout: 10_000 })
    .toEqual(expect.arrayContaining(['outbox_p0', 'outbox_p10', 'outbox_p11']))
  await transport.declare!({ destinations: [{ kind: 'queue', name: 'mail' }], subscriptions: [] })
  expect(await tidied()).toContain('outbox_p0')
  await pool.query(`update "${schema}".reader set position = 950000, open = '{}' where name = 'queue/mail'`)
  await expect.poll(tidied, { timeout: 10_000 }).not.toContain('outbox_p0')
  await jumpTo(1_420_000)
  await book(4)
  await maintenance.stop()
})

test('no partition is made for ids that are being written, or soon will be: the default one takes them', async () => {
  await using database = await testDatabase()
  const { pool, schema } = database
  const madeAt = async (id: number) => {
    await pool.query(`alter table "${schema}".outbox alter id restart with ${id}`)
    await pool.query(`select nextval('"${schema}".outbox_id_seq')`)
    await pool.query(`select "${schema}".make_partitions()`)
    const { rows } = await pool.query(
      `select relname from pg_class where relnamespace = $1::regnamespace and relname ~ 'p\\d+$'`,
      [`"${schema}"`],
    )
    return rows.map(({ relname }) => Number(relname.slice('outbox_p'.length))).toSorted((one, other) => one - other)
  }
  expect(await madeAt(350_000)).toEqual([0, 1, 2, 4, 5])
  expect(await madeAt(795_000)).toEqual([0, 1, 2, 4, 5, 9])
})

test('connections killed under load: every message arrives, nothing is uncaught', async () => {
  await using database = await testDatabase({ max: 6 })
  const { pool, schema, connectionString } = database
  const outbox = createOutbox({ db: pool, source: '/a', schema, transport: 'postgres' })
  await using transport = postgres({ pool, outbox, listen: connectionString, leaseMs: 1_000 })
  const seen = new Set<number>()
  await transport.subscribe(
    {
      service: 'billing',
      sources: [{ kind: 'topic', name: 'rental.booked' }],
      mode: 'ordered',
      ackBefore: false,
      maxOpen: 10,
      maxOpenBytes: 1e6,
      start: 'earliest',
    },
    async ({ message }) => {
      seen.add(JSON.parse(new TextDecoder().decode(message.body!)).number)
      return { outcome: 'ack' }
    },
  )
  const committed = new Set<number>()
  for (let number = 0; number < 300; number++) {
    const done = outbox
      .transaction(async (_trx, messages) => messages.publish(Booked, { number }))
      .then(
        () => void committed.add(number),
        // a commit whose answer was lost may have happened
        () => undefined,
      )
    if (number % 20 === 10) {
      await pool
        .query(
          `select pg_terminate_backend(pid) from pg_stat_activity where (application_name = $1 or query = $2) and pid <> pg_backend_pid()`,
          [schema, `LISTEN "waybill:${schema}"`],
        )
        .catch(() => undefined)
    }
    await done
  }
  expect(committed.size).toBeGreaterThan(200)
  await expect.poll(() => [...committed].filter((number) => !seen.has(number)), { timeout: 10_000 }).toEqual([])
})
