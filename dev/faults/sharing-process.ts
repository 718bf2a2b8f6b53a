import { createBus, defineEvent, on } from '@waybill/core'
import { createInbox, postgres } from '@waybill/outbox-pg'
import pg from 'pg'
import { z } from 'zod'

/** One instance of a service in a process of its own, for the test of instances that come, go and are killed. */
const { SCHEMA, DATABASE_URL } = process.env
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 8, application_name: 'sharing process' })
const Counted = defineEvent('counted', {
  schema: z.object({ key: z.number(), number: z.number() }),
  orderingKey: ({ key }) => String(key),
})
const inbox = createInbox({ db: pool, schema: SCHEMA })
const bus = createBus({
  transport: postgres({ pool, schema: SCHEMA, leaseMs: 500, pollMs: 20 }),
  source: '/effects',
})
await bus.subscribe(
  'effects',
  [
    on(
      Counted,
      inbox.once(async ({ key, number }, { trx }) => {
        await trx.query(`insert into "${SCHEMA}".effect (key, number, who) values ($1, $2, $3)`, [
          key,
          number,
          String(process.pid),
        ])
      }),
    ),
  ],
  { concurrency: 4 },
)
process.on('SIGTERM', () => void bus.stop().then(() => process.exit(0)))
process.stdout.write('subscribed\n')
