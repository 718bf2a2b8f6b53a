import { TransactionError } from '@waybill/core'
import type { Queryable, TransactionPlan } from './database.ts'

/**
 * Runs what outbox or inbox want of a transaction, for those who write a `Database` for another query builder: call it
 * inside a transaction of that, and have it committed when this resolves, rolled back when it rejects.
 * @param queryable raw SQL in that transaction
 * @throws {TransactionError} a statement had failed and its error was not thrown on, so that COMMIT would roll back
 */
export async function runPlan<Trx, R>(
  { first, work, last }: TransactionPlan<Trx, R>,
  trx: Trx,
  queryable: Queryable,
): Promise<R> {
  if (first !== undefined) {
    const { text, values } = first.statement
    await first.read(await queryable.query(text, values).catch(first.explain), queryable)
  }
  const result = await work(trx)
  const statements = (await last?.()) ?? []
  for (const { text, values } of statements) await queryable.query(text, values).catch(explain)
  // query builders commit a failed transaction without a word; one more statement fails, and so tells
  if (statements.length === 0) await queryable.query('SELECT 1').catch(explain)
  return result
}

function explain(cause: unknown): never {
  if ((cause as { code?: unknown } | null)?.code !== '25P02') throw cause
  throw new TransactionError('COMMIT would roll back: a statement had failed and its error was not thrown on', {
    cause,
  })
}
