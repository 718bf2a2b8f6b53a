import { TransactionError } from '@waybill/core'
import { beginWithNext, isBeginning } from './begin-with-next.ts'
import { guardClients } from './guard-clients.ts'
import { runInOnePacket, takesPackets } from './one-packet.ts'
import type { Database, PgClient, PgPool, PgStatement, Queryable, QueryResult, TransactionPlan } from './database.ts'

/** Prepared where what goes with them is. */
const BEGIN = (prepared: boolean): PgStatement => ({ text: 'BEGIN', ...(prepared && { name: 'waybill_begin' }) })
const COMMIT = (prepared: boolean): PgStatement => ({ text: 'COMMIT', ...(prepared && { name: 'waybill_commit' }) })

/** Whether a value is a pool, by shape. */
export function isPool(value: unknown): value is PgPool {
  const pool = value as Partial<PgPool> | null
  // a client can connect too, but only a client has a connection's process id
  return typeof pool?.connect === 'function' && typeof pool.query === 'function' && !('processID' in pool)
}

/** A pg pool as database: BEGIN and COMMIT are ours. */
export function fromPool(pool: PgPool): Database<PgClient> {
  guardClients(pool)
  return { transaction: (plan) => runTransaction(pool, plan), inTransaction: clientInTransaction }
}

/**
 * A pg client that is in a transaction; `undefined` for what is no client.
 * @throws {TransactionError} it is in none, or in one that has failed
 */
export function clientInTransaction(trx: unknown): Queryable | undefined {
  return isClient(trx) && !isPool(trx) ? checkedClient(trx) : undefined
}

function isClient(value: unknown): value is PgClient {
  const client = value as Partial<PgClient> | null
  return typeof client?.query === 'function' && typeof client.getTransactionStatus === 'function'
}

/** The same client, once it says that it is in a transaction that can still commit. */
function checkedClient(client: PgClient): Queryable {
  if (isBeginning(client)) return client
  const status = client.getTransactionStatus!()
  if (status === 'E') throw new TransactionError('the transaction has failed: roll back, then try it again')
  if (status !== 'T') throw new TransactionError('the client is in no transaction: run BEGIN first')
  return client
}

/** Runs a statement under its name where the client is pg's own; others are known to take text and values. */
export function runStatement(queryable: Queryable, statement: PgStatement): Promise<QueryResult> {
  const { text, values } = statement
  if (statement.name === undefined || !isClient(queryable)) return queryable.query(text, values)
  return (queryable as unknown as { query(statement: PgStatement): Promise<QueryResult> }).query(statement)
}

async function runTransaction<R>(pool: PgPool, plan: TransactionPlan<PgClient, R>): Promise<R> {
  const client = await pool.connect()
  let broken: Error | undefined
  try {
    await begin(client, plan.first)
    const result = await plan.work(client)
    await commit(client, (await plan.last?.()) ?? [])
    return result
  } catch (error) {
    await client.query('ROLLBACK').catch((cause: Error) => (broken ??= cause))
    throw error
  } finally {
    // a client whose connection was lost is known to the pool as such
    client.release(broken)
  }
}

/** BEGIN, in the packet of the first statement where the client takes packets: of the plan's, or else of the work's. */
async function begin(client: PgClient, first: TransactionPlan<PgClient, unknown>['first']): Promise<void> {
  if (first === undefined) return takesPackets(client) ? beginWithNext(client) : void (await client.query('BEGIN'))
  const [, result] = await runAll(client, [BEGIN(first.statement.name !== undefined), first.statement]).catch(
    first.explain,
  )
  await first.read(result!, client)
}

/** Writes the last statements and COMMIT, in one packet where the client takes one. */
async function commit(client: PgClient, last: readonly PgStatement[]): Promise<void> {
  const prepared = last.some(({ name }) => name !== undefined)
  const committed = (await runAll(client, [...last, COMMIT(prepared)])).at(-1)
  // COMMIT of a failed transaction is answered with ROLLBACK, and with no error
  if (committed!.command === 'ROLLBACK') {
    throw new TransactionError('COMMIT became a rollback: a statement had failed and its error was not thrown on')
  }
}

async function runAll(client: PgClient, statements: readonly PgStatement[]): Promise<QueryResult[]> {
  if (statements.length > 1 && takesPackets(client)) return runInOnePacket(client, statements)
  const results: QueryResult[] = []
  for (const statement of statements) results.push(await runStatement(client, statement))
  return results
}
