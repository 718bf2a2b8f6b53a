import type { PgStatement, Queryable, QueryResult } from '../database.ts'
import type { StatementNames } from '../statement-names.ts'
import { claimText, quickClaimText, waitForLock } from './claim-text.ts'

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

const FRESH: ClaimResult = Object.freeze({ fresh: true })

/** After one message that was known, so many are asked for first: copies come in bursts. */
const CAREFUL = 1_000

/** The message is known, which its transaction had to fail for. */
export class Known extends Error {
  override readonly message = 'the message is known'
}

/** The statements that write the inbox row of one message. */
export class Claims {
  readonly #names: StatementNames
  readonly #bold: string
  readonly #quick: string
  readonly #patient: string
  readonly #known: string
  /** Window and lock time-out, as the statements have them. */
  readonly #window: readonly number[]
  readonly #lockTimeout: string
  /** So many messages to come may be known. */
  #careful: number

  /** @param schema quoted */
  constructor(
    schema: string,
    names: StatementNames,
    given: {
      readonly lockTimeoutMs: number
      readonly windowMs?: number | undefined
      /** The errors of statements come as pg has them. */
      readonly plainErrors: boolean
    },
  ) {
    const { lockTimeoutMs, windowMs, plainErrors } = given
    const columns = '$2, $3, $4::bytea'
    const windowed = windowMs !== undefined
    this.#names = names
    this.#bold = quickClaimText(schema, { columns, windowed }, true)
    this.#quick = quickClaimText(schema, { columns, windowed }, false)
    this.#patient = claimText(schema, { columns, windowed, before: waitForLock(schema) })
    this.#known = `SELECT content_hash IS NOT DISTINCT FROM $4::bytea AS same, reply FROM ${schema}.inbox
      WHERE service = $1 AND handler = $2 AND scope = '' AND key = $3`
    this.#window = windowed ? [windowMs] : []
    this.#lockTimeout = `${lockTimeoutMs}ms`
    // a key that counts for a while only is meant to come again
    this.#careful = plainErrors && !windowed ? 0 : Infinity
  }

  /** The first statement of the transaction. */
  statement(claim: Claim): PgStatement {
    if (this.#careful === 0) return this.#names.named({ text: this.#bold, values: valuesOf(claim) })
    this.#careful--
    return this.#names.named({ text: this.#quick, values: [...valuesOf(claim), ...this.#window] })
  }

  /** @throws {Known} where the statement failed as the row is there: the next one does not */
  checkKnown(error: unknown): void {
    const { code, table } = (error ?? {}) as { code?: unknown; table?: unknown }
    if (code !== '23505' || table !== 'inbox') return
    this.#careful = CAREFUL
    throw new Known()
  }

  /** What came of it; of a message that was refused, once nobody else is at it, what is remembered of the first. */
  async read({ rows }: QueryResult, queryable: Queryable, claim: Claim): Promise<ClaimResult> {
    if (rows.length > 0) return FRESH
    const values = valuesOf(claim)
    const patient = { text: this.#patient, values: [...values, ...this.#window, this.#lockTimeout] }
    if ((await this.#names.run(queryable, patient)).rows.length > 0) return FRESH
    const found = await queryable.query(this.#known, values)
    const row = found.rows[0] as { same: boolean; reply: Buffer | null } | undefined
    return { fresh: false, same: row?.same ?? true, reply: row?.reply ?? null }
  }
}

const valuesOf = ({ service, handler, key, hash }: Claim): unknown[] => [service, handler, key, hash]
