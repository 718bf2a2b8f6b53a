import { ConfigError, TransactionError } from '@waybill/core'
import type { Database, PgPool, Queryable } from '../database.ts'
import { lostStatement } from '../database-errors.ts'
import { kyselyTransaction } from '../kysely.ts'
import { clientInTransaction, fromPool, isPool } from '../pg-database.ts'

/** @throws {ConfigError} for what is neither a pool nor a `Database` */
export function databaseOf<Trx>(db: Database<Trx> | PgPool): Database<Trx> {
  if (isPool(db)) return fromPool(db) as unknown as Database<Trx>
  if (typeof (db as Partial<Database<Trx>>)?.inTransaction === 'function') return db
  throw new ConfigError('db is no database: give a pg.Pool, or fromKysely(db)')
}

/** Raw SQL in the user's own transaction, once it is known to be one. */
export async function queryableOf(trx: unknown, database: Database<unknown>, schema: string): Promise<Queryable> {
  const known = database.inTransaction(trx) ?? kyselyTransaction(trx) ?? clientInTransaction(trx)
  if (known) return known
  if (isPool(trx)) throw new TransactionError('a pool is no transaction: give the client that ran BEGIN')
  if (typeof (trx as Partial<Queryable> | null)?.query !== 'function') {
    throw new TransactionError('this is no transaction: give a kysely trx, a pg client, or anything with query')
  }
  const queryable = trx as Queryable
  // fails outside a transaction, needs no right but INSERT, and holds up no insert
  await queryable.query(`LOCK TABLE ONLY ${schema}.outbox IN ROW EXCLUSIVE MODE`).catch(explain)
  return queryable
}

/** Errors of the database that say something about the use of the outbox, said in its words; others as they are. */
export function explain(error: unknown): never {
  const code = (error as { code?: unknown } | null)?.code
  if (code === '25P01') {
    throw new TransactionError('the outbox was used without a transaction: run BEGIN first', { cause: error })
  }
  if (code === '25P02') {
    throw new TransactionError('the transaction has failed before: roll back, then try it again', { cause: error })
  }
  if (code === '42P01' || code === '3F000') {
    const detail = (error as Error).message
    if (/outbox/.test(detail)) {
      throw new ConfigError(
        `${detail}: run migrate({ pool }) or "waybill-outbox migrate" first, or give a transaction of the database that has the outbox`,
        { cause: error },
      )
    }
  }
  const lost = lostStatement(error, 'createOutbox({ prepare: false })')
  throw lost === undefined ? error : new ConfigError(lost, { cause: error })
}
