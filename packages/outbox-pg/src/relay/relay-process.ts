import { appendFileSync } from 'node:fs'
import pg from 'pg'
import { startRelay } from './relay.ts'

/** A relay in a process of its own, for tests that kill it: its carrier is a file, one line per message. */
const { SCHEMA, FILE, DATABASE_URL } = process.env
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 4, application_name: 'relay process' })
startRelay({
  pool,
  schema: SCHEMA,
  leaseMs: 500,
  pollMs: 5,
  window: 20,
  transports: {
    one: {
      publish: (messages) =>
        messages.map(async ({ body }) => appendFileSync(FILE!, `${new TextDecoder().decode(body!)}\n`)),
    },
  },
})
