import type { Logger } from '@waybill/core'
import { Kysely, PostgresDialect } from 'kysely'
import { Pool } from 'pg'
import type { Db, Tables } from './tables.ts'

/** One process's way to the database. */
export interface Database extends AsyncDisposable {
  readonly url: string
  readonly pool: Pool
  readonly db: Db
}

const POOL = { connectionTimeoutMillis: 5_000, idleTimeoutMillis: 30_000, statement_timeout: 30_000 } as const

/** The log hears of idle connections that broke; the pool replaces them by itself. */
export function openDatabase(url: string, maxConnections: number, logger: Logger): Database {
  const pool = new Pool({ connectionString: url, max: maxConnections, ...POOL })
  let closed = false
  // The pool's end does not wait for the last farewell of each connection.
  pool.on('error', (error) => closed || logger.warn({ error }, 'a database connection was lost'))
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
  return {
    url,
    pool,
    db,
    [Symbol.asyncDispose]: () => {
      closed = true
      // Kysely ends the pool it was given.
      return db.destroy()
    },
  }
}
