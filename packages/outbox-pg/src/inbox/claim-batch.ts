import type { Queryable } from '../database.ts'
import type { StatementNames } from '../statement-names.ts'

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
 * Writes the inbox rows of a whole batch as first statement of its transaction, in the order of their keys: of two batches
 * that overlap, one waits for the other and never both. The lock time-out holds for this one statement.
 */
export async function claimBatch(
  queryable: Queryable,
  names: StatementNames,
  schema: string,
  service: string,
  claims: readonly BatchClaim[],
  { lockTimeoutMs, windowMs }: { readonly lockTimeoutMs: number; readonly windowMs?: number | undefined },
): Promise<readonly BatchClaimResult[]> {
  const firsts = new Map<string, number>()
  // ON CONFLICT DO UPDATE may not meet one row twice, so copies within the batch are told apart here
  const places = claims.map((claim, place) => {
    const name = nameOf(claim)
    const first = firsts.get(name) ?? place
    if (first === place) firsts.set(name, place)
    return first
  })
  const asked = [...firsts.values()].map((place) => claims[place]!)
  const values: unknown[] = [service, ...columnsOf(asked), `${lockTimeoutMs}ms`]
  const renew =
    windowMs === undefined
      ? 'NOTHING'
      : `UPDATE SET handled_at = now(), content_hash = excluded.content_hash, reply = NULL
         WHERE row.handled_at < now() - $${values.push(windowMs)}::float8 * interval '1 ms'`
  const text = `WITH wait AS MATERIALIZED (
       SELECT current_setting('lock_timeout') AS before, set_config('lock_timeout', $5, true) AS now)
     INSERT INTO ${schema}.inbox AS row (service, handler, key, content_hash)
     SELECT $1, handler, key, hash
     FROM wait, unnest($2::text[], $3::text[], $4::bytea[]) AS given(handler, key, hash)
     WHERE now IS NOT NULL
     ORDER BY handler COLLATE "C", key COLLATE "C"
     ON CONFLICT (service, handler, scope, key) DO ${renew}
     RETURNING handler, key, (SELECT set_config('lock_timeout', before, true) FROM wait) AS restored`
  const { rows } = await names.run(queryable, { text, values })
  const fresh = new Set((rows as Named[]).map(nameOf))
  const known = await hashesOf(
    queryable,
    schema,
    service,
    asked.filter((claim) => !fresh.has(nameOf(claim))),
  )
  return claims.map((claim, place) => {
    const name = nameOf(claim)
    const first = places[place]!
    if (first === place && fresh.has(name)) return { fresh: true, same: true, first }
    const before = fresh.has(name) ? claims[first]!.hash : known.get(name)
    return { fresh: false, same: before === undefined || sameHash(before, claim.hash), first }
  })
}

type Named = Pick<BatchClaim, 'handler' | 'key'>

/** Neither part holds U+0000, which no text column can. */
const nameOf = ({ handler, key }: Named): string => `${handler}\0${key}`

const columnsOf = (claims: readonly BatchClaim[]): unknown[] => [
  claims.map(({ handler }) => handler),
  claims.map(({ key }) => key),
  claims.map(({ hash }) => hash),
]

async function hashesOf(
  queryable: Queryable,
  schema: string,
  service: string,
  claims: readonly BatchClaim[],
): Promise<ReadonlyMap<string, Buffer | null>> {
  // a statement that inserted nothing has returned nothing, so the lock time-out is still this batch's own
  if (claims.length === 0) return new Map()
  const { rows } = await queryable.query(
    `SELECT handler, key, content_hash FROM ${schema}.inbox
     WHERE service = $1 AND scope = '' AND (handler, key) IN (SELECT * FROM unnest($2::text[], $3::text[]))`,
    [service, ...columnsOf(claims).slice(0, 2)],
  )
  return new Map(
    (rows as (Named & { content_hash: Buffer | null })[]).map((row) => [nameOf(row), row.content_hash] as const),
  )
}

function sameHash(one: Buffer | null, other: Buffer | null): boolean {
  return one === null || other === null ? one === other : one.equals(other)
}
