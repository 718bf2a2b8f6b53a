import type { PgStatement, Queryable, QueryResult } from '../database.ts'
import { claimText } from './claim-text.ts'

/** One message of a batch, by what makes it the same as another. */
export interface BatchClaim {
  readonly handler: string
  readonly key: string
  readonly hash: Buffer | null
}

/** What became of each claim: `first` is the place of the one it repeats within the batch, or its own. */
export interface BatchClaimResult {
  readonly fresh: boolean
  readonly same: boolean
  readonly first: number
}

/**
 * The rows of a whole batch, as first statement of its transaction, in the order of their keys: of two batches that
 * overlap, one waits for the other and never both. The lock time-out holds for this one statement.
 */
export class BatchClaims {
  readonly #schema: string
  readonly #service: string
  readonly #claims: readonly BatchClaim[]
  /** For each claim the place of the first of its name: ON CONFLICT DO UPDATE may not meet one row twice. */
  readonly #firsts: readonly number[]
  readonly #asked: readonly BatchClaim[]

  constructor(schema: string, service: string, claims: readonly BatchClaim[]) {
    this.#schema = schema
    this.#service = service
    this.#claims = claims
    const places = new Map<string, number>()
    this.#firsts = claims.map((claim, place) => {
      const name = nameOf(claim)
      const first = places.get(name) ?? place
      if (first === place) places.set(name, place)
      return first
    })
    this.#asked = [...places.values()].map((place) => claims[place]!)
  }

  statement(given: { readonly lockTimeoutMs: number; readonly windowMs?: number | undefined }): PgStatement {
    const { lockTimeoutMs, windowMs } = given
    return {
      text: claimText(this.#schema, {
        columns: 'handler, key, hash',
        from: ', unnest($2::text[], $3::text[], $4::bytea[]) AS given(handler, key, hash)',
        order: 'ORDER BY handler COLLATE "C", key COLLATE "C"',
        told: 'handler, key,',
        windowed: windowMs !== undefined,
      }),
      values: [
        this.#service,
        ...columnsOf(this.#asked),
        ...(windowMs === undefined ? [] : [windowMs]),
        `${lockTimeoutMs}ms`,
      ],
    }
  }

  /** What came of that statement, one for each claim. */
  async read({ rows }: QueryResult, queryable: Queryable): Promise<readonly BatchClaimResult[]> {
    const fresh = new Set(
      rows
        .map((row: object) => Object.values(row) as [string, string])
        .map(([handler, key]) => nameOf({ handler, key })),
    )
    const known = await this.#hashes(
      queryable,
      this.#asked.filter((claim) => !fresh.has(nameOf(claim))),
    )
    return this.#claims.map((claim, place) => {
      const name = nameOf(claim)
      const first = this.#firsts[place]!
      if (first === place && fresh.has(name)) return { fresh: true, same: true, first }
      const before = fresh.has(name) ? this.#claims[first]!.hash : known.get(name)
      return { fresh: false, same: before === undefined || sameHash(before, claim.hash), first }
    })
  }

  async #hashes(queryable: Queryable, claims: readonly BatchClaim[]): Promise<ReadonlyMap<string, Buffer | null>> {
    // a statement that inserted nothing has returned nothing, so the lock time-out is still this batch's own
    if (claims.length === 0) return new Map()
    const { rows } = await queryable.query(
      `SELECT handler, key, content_hash FROM ${this.#schema}.inbox
     WHERE service = $1 AND scope = '' AND (handler, key) IN (SELECT * FROM unnest($2::text[], $3::text[]))`,
      [this.#service, ...columnsOf(claims).slice(0, 2)],
    )
    return new Map(
      (rows as (Named & { content_hash: Buffer | null })[]).map((row) => [nameOf(row), row.content_hash] as const),
    )
  }
}

type Named = Pick<BatchClaim, 'handler' | 'key'>

/** Neither part holds U+0000, which no text column can. */
const nameOf = ({ handler, key }: Named): string => `${handler}\0${key}`

const columnsOf = (claims: readonly BatchClaim[]): unknown[] => [
  claims.map(({ handler }) => handler),
  claims.map(({ key }) => key),
  claims.map(({ hash }) => hash),
]

function sameHash(one: Buffer | null, other: Buffer | null): boolean {
  return one === null || other === null ? one === other : one.equals(other)
}
