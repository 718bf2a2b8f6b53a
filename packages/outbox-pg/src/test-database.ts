import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { migrate } from './migrations/index.ts'

/** A schema of its own in the test server, and a pool; for tests alone. */
export async function testDatabase(options: pg.PoolConfig = {}) {
  const connectionString = process.env.DATABASE_URL
  if (connectionString === undefined) throw new Error('DATABASE_URL is not set: run npm test, or set it')
  const schema = `test_${randomBytes(6).toString('hex')}`
  const pool = new pg.Pool({ connectionString, max: 10, application_name: schema, ...options })
  pool.on('error', () => undefined)
  await migrate({ pool, schema })
  return {
    schema,
    pool,
    connectionString,
    async [Symbol.asyncDispose]() {
      await pool.query(`DROP SCHEMA "${schema}" CASCADE`)
      await pool.end()
    },
  }
}

/** A promise that the test resolves. */
export function gate() {
  let resolve!: () => void
  const promise = new Promise<void>((open) => (resolve = open))
  return { promise, resolve }
}
