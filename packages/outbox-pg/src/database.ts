import { TimeoutError } from '@waybill/core'

/** The part of a query result that is read here. */
export interface QueryResult {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- what comes back is the statement's business
  rows: any[]
  rowCount?: number | null
  command?: string
}

/** Anything that runs SQL on one connection or transaction: a pg client, or what another query builder can be wrapped as. */
export interface Queryable {
  query(text: string, values?: unknown[]): Promise<QueryResult>
}

/** A pg client, by shape. */
export interface PgClient extends Queryable {
  /** `I` idle, `T` in a transaction, `E` in a failed one (pg 8.21 and later). */
  getTransactionStatus?(): string | null
  release(error?: Error | boolean): void
}

/** A statement as pg takes it. */
export interface PgStatement {
  /** Prepared under this name, once for each connection. */
  name?: string
  text: string
  values?: unknown[]
  rowMode?: 'array'
  query_timeout?: number
  types?: { getTypeParser(): (value: string) => unknown }
}

/** A `pg.Pool`, by shape. It stays its owner's: nothing here ends it. */
export interface PgPool {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- pg's overloads fit no single stricter shape
  query(statement: any, values?: unknown[]): Promise<QueryResult>
  connect(): Promise<PgClient>
  on(event: 'error', listener: (error: Error) => void): unknown
  removeListener(event: 'error', listener: (error: Error) => void): unknown
}

/** What a transaction begins with. */
export interface FirstStatement {
  readonly statement: PgStatement
  /** Gets what came of it: `rows` are objects or arrays, their values in the order of the statement. */
  read(result: QueryResult, queryable: Queryable): Promise<void> | void
  /** Throws the error of a statement that failed, in the words of who gave it. */
  explain(error: unknown): never
}

/** Work done inside a transaction, and what is written right before its COMMIT. */
export interface TransactionPlan<Trx, R> {
  work(trx: Trx): Promise<R>
  /** Written after `work`, in one go with COMMIT where the driver can. */
  last?(): Promise<readonly PgStatement[]> | readonly PgStatement[]
  /** Run before `work`, in one go with BEGIN where the driver can. */
  readonly first?: FirstStatement | undefined
}

/** What outbox and inbox need of a database: transactions of the user's own kind, and raw SQL inside them. */
export interface Database<Trx> {
  transaction<R>(plan: TransactionPlan<Trx, R>): Promise<R>
  /** Raw SQL in a transaction of this kind; `undefined` where `trx` is none of it. */
  inTransaction(trx: unknown): Queryable | undefined
}

/** A number that every statement of the library waits at most, unless told otherwise. */
export const STATEMENT_TIMEOUT_MS = 10_000

const asText = { getTypeParser: () => (value: string) => value }

/**
 * Runs a statement whose values come back as the text that the server sent: no payload, number or time is parsed.
 * @throws {TimeoutError} no answer in time, the wait for a connection of the pool included
 */
export async function textRows(
  pool: PgPool,
  text: string,
  values: unknown[] = [],
  timeoutMs: number = STATEMENT_TIMEOUT_MS,
  run: (statement: PgStatement) => Promise<QueryResult> = (statement) => pool.query(statement),
): Promise<(string | null)[][]> {
  const statement: PgStatement = { text, values, rowMode: 'array', types: asText, query_timeout: timeoutMs }
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    const text = `PostgreSQL gave no answer within ${timeoutMs} ms: check the database, and whether its pool has connections left`
    timer = setTimeout(() => reject(new TimeoutError(text)), timeoutMs)
  })
  try {
    // query_timeout ends a statement that was sent, and its connection; a pool may wait for ever for one to send it on
    const { rows } = await Promise.race([run(statement), late])
    return rows as (string | null)[][]
  } finally {
    clearTimeout(timer)
  }
}
