import type { PgStatement, Queryable, QueryResult } from '../database.ts'
import type { StatementNames } from '../statement-names.ts'
import { claimText, quickClaimText } from './claim-text.ts'

/** One message of a service, by what makes it the same as another. */
export interface Claim {
  readonly service: string
  readonly handler: string
  readonly key: string
  readonly hash: Buffer | null
}

/** `fresh`: ours to handle. Otherwise it was handled before, and `same` tells whether it was the same content. */
export type ClaimResult =
  { readonly fresh: true } | { readonly fresh: false; readonly same: boolean; readonly reply: Buffer | null }

const FRESH = Object.freeze({ fresh: true })

/** The statements that write the inbox row of one message. */
export class Claims {
  readonly #names: StatementNames
  readonly #quick: string
  readonly #patient: string
  readonly #known: string
  /** Window and lock time-out, as the statements have them. */
  readonly #window: readonly number[]
  readonly #lockTimeout: string

  /** @param schema quoted */
  constructor(
    schema: string,
    names: StatementNames,
    { lockTimeoutMs, windowMs }: { readonly lockTimeoutMs: number; readonly windowMs?: number | undefined },
  ) {
    const columns = '$2, $3, $4::bytea'
    const window = windowMs === undefined ? undefined : 5
    this.#names = names
    this.#quick = quickClaimText(schema, { columns, window })
    this.#patient = claimText(schema, { columns, window, lockTimeout: window === undefined ? 5 : 6 })
    this.#known = `SELECT content_hash IS NOT DISTINCT FROM $4::bytea AS same, reply FROM ${schema}.inbox
      WHERE service = $1 AND handler = $2 AND scope = '' AND key = $3`
    this.#window = windowMs === undefined ? [] : [windowMs]
    this.#lockTimeout = `${lockTimeoutMs}ms`
  }

  /** The first statement of the transaction. */
  statement(claim: Claim): PgStatement {
    return this.#names.named({ text: this.#quick, values: [...valuesOf(claim), ...this.#window] })
  }

  /** What came of it; of a message that was refused, once nobody else is at it, what is remembered of the first. */
  async read({ rows }: QueryResult, queryable: Queryable, claim: Claim): Promise<ClaimResult> {
    if (rows.length > 0) return FRESH as ClaimResult
    const values = valuesOf(claim)
    const patient = { text: this.#patient, values: [...values, ...this.#window, this.#lockTimeout] }
    if ((await this.#names.run(queryable, patient)).rows.length > 0) return FRESH as ClaimResult
    const found = await queryable.query(this.#known, values)
    const row = found.rows[0] as { same: boolean; reply: Buffer | null } | undefined
    return { fresh: false, same: row?.same ?? true, reply: row?.reply ?? null }
  }
}

const valuesOf = ({ service, handler, key, hash }: Claim): unknown[] => [service, handler, key, hash]
