import { createHash } from 'node:crypto'
import type { PgStatement, Queryable, QueryResult } from './database.ts'
import { runStatement } from './pg-database.ts'

/** What all their names begin with. */
export const STATEMENT_PREFIX = 'waybill_'

/**
 * Gives statements names, so that each connection parses and plans them once. A name follows from the text: two versions
 * of this package on one connection never mean different statements by one name.
 */
export class StatementNames {
  // as many as there are statements of outbox and inbox: their texts hold no values
  readonly #names = new Map<string, string>()
  readonly #prepare: boolean

  /** @param prepare `false`: statements stay without a name */
  constructor(prepare: boolean) {
    this.#prepare = prepare
  }

  /** Runs a statement under its name, where the client knows of names. */
  run(queryable: Queryable, statement: PgStatement): Promise<QueryResult> {
    return runStatement(queryable, this.named(statement))
  }

  named(statement: PgStatement): PgStatement {
    if (!this.#prepare) return statement
    let name = this.#names.get(statement.text)
    if (name === undefined) {
      name = `${STATEMENT_PREFIX}${createHash('sha256').update(statement.text).digest('hex').slice(0, 32)}`
      this.#names.set(statement.text, name)
    }
    return { ...statement, name }
  }
}
