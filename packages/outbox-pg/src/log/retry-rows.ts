import type { PgPool } from '../database.ts'
import { fromRow, selectMessage } from '../row.ts'
import type { StatementNames } from '../statement-names.ts'
import { andInBuckets, type Buckets } from './buckets.ts'
import type { HeldRow } from './tenure.ts'

/** What of `outbox_retry` is due, and when the next look is worth while. */
export interface DueRows {
  readonly rows: readonly HeldRow[]
  readonly nextMs: number
}

/**
 * Rows of one reader, in these buckets, whose time has come. `keyOrder`: a row waits while an earlier one of its key is there: any
 * (`block-key`), or one that is not parked (`skip`); `none`: rows don't wait for one another.
 */
export async function dueRows(
  pool: PgPool,
  names: StatementNames,
  schema: string,
  reader: string,
  buckets: Buckets,
  keyOrder: 'none' | 'block-key' | 'skip',
  held: readonly number[],
  limit: number,
): Promise<DueRows> {
  const earlier = `EXISTS (
    SELECT FROM ${schema}.outbox_retry e
    WHERE e.reader = r.reader AND e.destination = r.destination AND e.ordering_key = r.ordering_key AND e.id < r.id
      ${keyOrder === 'skip' ? 'AND e.parked_at IS NULL' : ''})`
  const blocked = keyOrder === 'none' ? 'false' : `r.ordering_key IS NOT NULL AND ${earlier}`
  const rows = await names.textRows(
    pool,
    `SELECT r.id, r.attempts, greatest(0, extract(epoch FROM r.next_attempt_at - clock_timestamp()) * 1000)::float8, ${selectMessage('r')}
     FROM ${schema}.outbox_retry r
     WHERE r.reader = $1 AND r.parked_at IS NULL AND r.next_attempt_at IS NOT NULL AND NOT r.id = ANY ($2::int8[])
       AND NOT (${blocked})${andInBuckets('r', buckets)}
     ORDER BY r.next_attempt_at, r.id LIMIT $3`,
    [reader, held, limit],
  )
  const due: HeldRow[] = []
  for (const row of rows) {
    if (Number(row[2]) > 0) return { rows: due, nextMs: Number(row[2]) }
    due.push({
      id: Number(row[0]),
      attempts: Number(row[1]),
      fromRetry: true,
      message: fromRow(row, 3, row[0]!),
      bytes: (row[13]?.length ?? 0) + (row[14]?.length ?? 0) / 2,
    })
  }
  return { rows: due, nextMs: rows.length === limit ? 0 : Infinity }
}
