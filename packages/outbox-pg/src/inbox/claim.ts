import { hash } from 'node:crypto'
import { serialize } from 'node:v8'
import type { PgStatement, Queryable, QueryResult } from '../database.ts'

export interface Claim {
  readonly service: string
  readonly handler: string
  readonly key: string
  readonly hash: Buffer | null
  readonly lockTimeoutMs: number
  readonly windowMs: number | undefined
}

/** `fresh`: ours to handle. Otherwise it was handled before, and `same` tells whether it was the same content. */
export type ClaimResult =
  { readonly fresh: true } | { readonly fresh: false; readonly same: boolean; readonly reply: Buffer | null }

/**
 * Writes the inbox row as first statement of the handler's transaction. A second copy waits here until the first commits
 * or rolls back. The lock time-out holds for this one statement: RETURNING puts the session's own back.
 */
export function claimStatement(schema: string, wanted: Claim): PgStatement {
  const { service, handler, key, hash, lockTimeoutMs, windowMs } = wanted
  const values: unknown[] = [service, handler, key, hash, `${lockTimeoutMs}ms`]
  const renew =
    windowMs === undefined
      ? 'NOTHING'
      : `UPDATE SET handled_at = now(), content_hash = excluded.content_hash, reply = NULL
         WHERE row.handled_at < now() - $${values.push(windowMs)}::float8 * interval '1 ms'`
  const text = `WITH wait AS MATERIALIZED (
       SELECT current_setting('lock_timeout') AS before, set_config('lock_timeout', $5, true) AS now)
     INSERT INTO ${schema}.inbox AS row (service, handler, key, content_hash)
     SELECT $1, $2, $3, $4::bytea FROM wait WHERE now IS NOT NULL
     ON CONFLICT (service, handler, scope, key) DO ${renew}
     RETURNING (SELECT set_config('lock_timeout', before, true) FROM wait) AS restored`
  return { text, values }
}

/** What came of the claim's statement; of one that was refused, what is remembered of the first. */
export async function readClaim(
  { rows }: QueryResult,
  queryable: Queryable,
  schema: string,
  { service, handler, key, hash }: Claim,
): Promise<ClaimResult> {
  if (rows.length > 0) return { fresh: true }
  const found = await queryable.query(
    `SELECT content_hash IS NOT DISTINCT FROM $4::bytea AS same, reply FROM ${schema}.inbox
     WHERE service = $1 AND handler = $2 AND scope = '' AND key = $3`,
    [service, handler, key, hash],
  )
  const row = found.rows[0] as { same: boolean; reply: Buffer | null } | undefined
  return { fresh: false, same: row?.same ?? true, reply: row?.reply ?? null }
}

/** A fingerprint of the data, so that two messages under one key that differ are noticed. */
export function contentHash(data: unknown): Buffer | null {
  try {
    return hash('sha256', serialize(data), 'buffer')
  } catch {
    // a schema may put out what has no serial form; the key alone counts then
    return null
  }
}
