import { TransactionError } from '@waybill/core'
import type { Database, Queryable, QueryResult, TransactionPlan } from './database.ts'
import { runPlan } from './run-plan.ts'

/** The part of a `Kysely<DB>` that is called, by shape, so that kysely stays the user's own choice and version. */
export interface KyselyLike<Trx> {
  readonly isTransaction: boolean
  transaction(): { execute<R>(work: (trx: Trx) => Promise<R>): Promise<R> }
}

/** What raw SQL is sent through. */
export interface RawExecutor {
  readonly isTransaction: boolean
  withoutPlugins(): { executeQuery(query: object): Promise<{ rows: unknown[]; numAffectedRows?: bigint }> }
}

/**
 * A kysely instance as database. Handlers and `outbox.transaction` get its own `Transaction<DB>`.
 * @example const outbox = createOutbox({ db: fromKysely(db), source: '/rentals' })
 */
export function fromKysely<Trx>(db: KyselyLike<Trx>): Database<Trx> {
  return {
    transaction: <R>(plan: TransactionPlan<Trx, R>) =>
      db.transaction().execute((trx) => runPlan(plan, trx, rawSql(trx as unknown as RawExecutor))),
    inTransaction: kyselyTransaction,
  }
}

/**
 * Raw SQL through a kysely transaction; `undefined` for what is no kysely instance.
 * @throws {TransactionError} for a kysely instance that is not in a transaction
 */
export function kyselyTransaction(value: unknown): Queryable | undefined {
  const executor = value as Partial<RawExecutor> | null
  if (typeof executor?.withoutPlugins !== 'function' || typeof executor.isTransaction !== 'boolean') return undefined
  if (!executor.isTransaction) {
    throw new TransactionError('the kysely instance is in no transaction: give the trx of db.transaction().execute')
  }
  return rawSql(executor as RawExecutor)
}

/** Raw SQL through a kysely instance of any kind. */
export function rawSql(executor: RawExecutor): Queryable {
  // plugins such as CamelCasePlugin would rename our columns
  const plain = executor.withoutPlugins()
  return {
    async query(text: string, values: unknown[] = []): Promise<QueryResult> {
      const { rows, numAffectedRows } = await plain.executeQuery({
        sql: text,
        parameters: values,
        query: { kind: 'RawNode', sqlFragments: [text], parameters: [] },
        queryId: { queryId: 'waybill' },
      })
      return { rows, rowCount: numAffectedRows === undefined ? rows.length : Number(numAffectedRows) }
    },
  }
}
