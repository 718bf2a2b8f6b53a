import { createBus, defineCommand, onBatch, type Schema } from '@waybill/core'
import pg from 'pg'
import { postgres } from '../postgres/transport.ts'
import { createInbox } from './inbox.ts'

/** A consumer in a process of its own, for the test that kills it after the COMMIT of a batch and before its acks. */
const { SCHEMA: schema, DATABASE_URL } = process.env
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 6, application_name: 'batch process' })
const anything = {
  '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value: value as { number: number } }) },
} satisfies Schema
const Bill = defineCommand('bill', { schema: anything })
const inbox = createInbox({ db: pool, schema })
const bus = createBus({ transport: postgres({ pool, schema, leaseMs: 500 }), source: '/billing' })
const handler = inbox.onceBatch<{ number: number }>(async (bills, [{ trx }]) => {
  await trx.query(`insert into "${schema}".effect select unnest($1::int[])`, [bills.map(({ number }) => number)])
})
await bus.subscribe('billing', [
  onBatch(
    Bill,
    async (bills, contexts) => {
      await handler(bills as readonly { readonly number: number }[], contexts)
      process.kill(process.pid, 'SIGKILL')
    },
    { size: 10, waitMs: 200 },
  ),
])
