import { hash } from 'node:crypto'
import { serialize } from 'node:v8'
import type { PgStatement, Queryable, QueryResult } from '../database.ts'
import { claimText } from './claim-text.ts'

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

/** Writes the inbox row of one message. */
export function claimStatement(schema: string, wanted: Claim): PgStatement {
  const { service, handler, key, hash, lockTimeoutMs, windowMs } = wanted
  const windowed = windowMs !== undefined
  return {
    text: claimText(schema, { columns: '$2, $3, $4::bytea', windowed }),
    values: [service, handler, key, hash, `${lockTimeoutMs}ms`, ...(windowed ? [windowMs] : [])],
  }
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
