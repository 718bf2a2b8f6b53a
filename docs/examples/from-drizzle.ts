import { TransactionError } from '@waybill/core'
import { runPlan, type Database, type Queryable } from '@waybill/outbox-pg'
import { is, sql } from 'drizzle-orm'
import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import { PgDatabase, PgTransaction } from 'drizzle-orm/pg-core'

type Transaction<Schema extends Record<string, unknown>> = Parameters<
  Parameters<NodePgDatabase<Schema>['transaction']>[0]
>[0]

/** For Drizzle over pg: `createOutbox({ db: fromDrizzle(db), source })` and `createInbox({ db: fromDrizzle(db) })`. */
export const fromDrizzle = <Schema extends Record<string, unknown>>(
  db: NodePgDatabase<Schema>,
): Database<Transaction<Schema>> => ({
  transaction: (plan) => db.transaction((trx) => runPlan(plan, trx, throughDrizzle(trx))),
  inTransaction(value) {
    if (is(value, PgTransaction)) return throughDrizzle(value as Transaction<Schema>)
    if (!is(value, PgDatabase)) return undefined
    throw new TransactionError('this Drizzle database is no transaction: give the trx of db.transaction')
  },
})

const throughDrizzle = (trx: Pick<NodePgDatabase, 'execute'>): Queryable => ({
  async query(text, values = []) {
    // every second part is the number of a value
    const parts = text.split(/\$(\d+)/)
    const query = sql.join(
      parts.map((part, at) => (at % 2 === 0 ? sql.raw(part) : sql.param(values[Number(part) - 1]))),
    )
    try {
      return await trx.execute(query)
    } catch (error) {
      // Drizzle's own error has all values in its text; behind it is PostgreSQL's, with its code
      throw (error as Error).cause ?? error
    }
  },
})
