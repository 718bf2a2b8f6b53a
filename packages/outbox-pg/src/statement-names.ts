import { createHash } from 'node:crypto'
import {
  STATEMENT_TIMEOUT_MS,
  textRows,
  type PgPool,
  type PgStatement,
  type Queryable,
  type QueryResult,
} from './database.ts'
import { runStatement } from './pg-database.ts'

/** What all their names begin with. */
const PREFIX = 'waybill_'

/** Prepared already; unknown; prepared with other parameters. */
const LOST = /^(?:42P05|26000|08P01)$/

/** Whether a statement of ours was prepared on another connection than a pooler ran it on, or by somebody else there. */
export function isStatementLost(error: unknown): error is { readonly code: string } {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  return typeof code === 'string' && LOST.test(code) && String(message).includes(PREFIX)
}

/**
 * Gives statements names, so that each connection parses and plans them once. A name follows from the text: two versions
 * of this package on one connection never mean different statements by one name.
 */
export class StatementNames {
  // as many as there are statements of outbox and inbox: their texts hold no values
  readonly #names = new Map<string, string>()
  #prepare: boolean

  /** @param prepare `false`: statements stay without a name */
  constructor(prepare: boolean) {
    this.#prepare = prepare
  }

  /** Runs a statement under its name, where the client knows of names. */
  run(queryable: Queryable, statement: PgStatement): Promise<QueryResult> {
    return runStatement(queryable, this.named(statement))
  }

  /** `textRows` of a statement under its name. */
  textRows(pool: PgPool, text: string, values: unknown[]): Promise<(string | null)[][]> {
    return textRows(pool, text, values, STATEMENT_TIMEOUT_MS, (statement) => this.#runAlone(pool, statement))
  }

  /**
   * Runs a statement outside of any transaction. Where a pooler has lost its name it was not run: it is given again without
   * one, as all from then on.
   */
  async #runAlone(pool: PgPool, statement: PgStatement): Promise<QueryResult> {
    try {
      return await pool.query(this.named(statement))
    } catch (error) {
      if (!isStatementLost(error)) throw error
      this.#prepare = false
      return pool.query(statement)
    }
  }

  named(statement: PgStatement): PgStatement {
    if (!this.#prepare) return statement
    let name = this.#names.get(statement.text)
    if (name === undefined) {
      name = `${PREFIX}${createHash('sha256').update(statement.text).digest('hex').slice(0, 32)}`
      this.#names.set(statement.text, name)
    }
    return { ...statement, name }
  }
}
