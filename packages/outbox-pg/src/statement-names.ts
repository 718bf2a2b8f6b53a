import { createHash } from 'node:crypto'
import type { PgStatement } from './database.ts'

/**
 * Gives statements names, so that each connection parses and plans them once. A name follows from the text: two versions
 * of this package on one connection never mean different statements by one name.
 */
export class StatementNames {
  // as many as there are statements of the write side: their texts hold no values
  readonly #names = new Map<string, string>()

  named(statement: PgStatement): PgStatement {
    let name = this.#names.get(statement.text)
    if (name === undefined) {
      name = `waybill_${createHash('sha256').update(statement.text).digest('hex').slice(0, 32)}`
      this.#names.set(statement.text, name)
    }
    return { ...statement, name }
  }
}
