import { createBus, defineEvent, on } from '@waybill/core'
import { createInbox, postgres } from '@waybill/outbox-pg'
import pg from 'pg'
import { z } from 'zod'

/** A service in a process of its own, for the test of messages whose handling ends their process. */
const { SCHEMA, DATABASE_URL, KEYED, POISON } = process.env
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 12, application_name: 'crash process' })
const Job = defineEvent('job', {
  schema: z.object({ n: z.number() }),
  ...(KEYED === 'yes' && { orderingKey: ({ n }: { n: number }) => String(n % 7) }),
})
const inbox = createInbox({ db: pool, schema: SCHEMA })
const bus = createBus({ transport: postgres({ pool, schema: SCHEMA, leaseMs: 500, pollMs: 20 }), source: '/jobs' })
await bus.subscribe(
  'jobs',
  [
    on(
      Job,
      inbox.once(async ({ n }, { trx }) => {
        await pool.query(`insert into "${SCHEMA}".started values ($1, $2)`, [n, process.pid])
        if (n === Number(POISON)) process.kill(process.pid, 'SIGKILL')
        await trx.query(`select pg_sleep(0.005)`)
        await trx.query(`insert into "${SCHEMA}".effect values ($1)`, [n])
      }),
    ),
  ],
  { concurrency: 8 },
)
