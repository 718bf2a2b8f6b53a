import { randomBytes } from 'node:crypto'
import { migrate } from '@waybill/outbox-pg'
import pg from 'pg'

export type BenchDatabase = Awaited<ReturnType<typeof benchDatabase>>

/** A schema of its own on the server of DATABASE_URL, with a table for what a business would write. */
export async function benchDatabase(max: number) {
  const connectionString = process.env.DATABASE_URL
  if (connectionString === undefined) throw new Error('DATABASE_URL is not set: use npm run bench')
  const schema = `bench_${randomBytes(4).toString('hex')}`
  const pool = new pg.Pool({ connectionString, max, application_name: schema, idleTimeoutMillis: 0 })
  pool.on('error', () => undefined)
  await migrate({ pool, schema })
  await pool.query(`CREATE TABLE "${schema}".business (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text text)`)
  return {
    pool,
    schema,
    connectionString,
    insert: { name: 'bench-business', text: `INSERT INTO "${schema}".business (text) VALUES ($1)`, values: ['rental'] },
    async [Symbol.asyncDispose]() {
      await pool.query(`DROP SCHEMA "${schema}" CASCADE`)
      await pool.end()
    },
  }
}
