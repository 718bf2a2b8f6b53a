import type { WireMessage } from '@waybill/core'
import { textRows, type PgPool } from '../database.ts'
import type { StatementNames } from '../statement-names.ts'
import { fromRow, selectMessage, SELECTED_COLUMNS } from '../row.ts'
import { andInBuckets, type Buckets } from './buckets.ts'
import type { LogPosition, LogRead } from './gaps.ts'

/** Which rows of the log are a reader's own: SQL over the alias `page`, with `$1` for its value. */
export interface RowFilter {
  readonly sql: string
  readonly value: unknown
}

/** One row of the log as its reader gets it. */
export interface LogRow {
  readonly id: number
  readonly message: WireMessage
  readonly bytes: number
}

/**
 * Reads gaps and what lies above the position by one statement, so that both come from one snapshot: by two, a later row
 * of a key could overtake an earlier one. All ids are told, of rows the reader's own in its buckets only.
 */
export async function readLog(
  pool: PgPool,
  names: StatementNames,
  schema: string,
  filter: RowFilter,
  buckets: Buckets,
  { position, gaps }: LogPosition,
  /** Most rows from gaps, and from above the position. */
  limit: { readonly gaps: number; readonly page: number },
): Promise<LogRead & { readonly own: ReadonlyMap<number, LogRow> }> {
  const values: unknown[] = [filter.value, position]
  const parts: string[] = []
  const singles = gaps.filter(({ low, high }) => low === high).map(({ low }) => low)
  const wide = gaps.filter(({ low, high }) => low !== high)
  const looked: string[] = []
  // for a number that it doesn't know PostgreSQL plans by the index, also where the log is empty and that of gaps is told in
  // full: so one plan serves all reads, and none is planned anew
  const atMost = (count: number) => `LIMIT $${values.push(count)}::int8`
  if (singles.length > 0) {
    looked.push(`SELECT o.* FROM (SELECT unnest($${values.push(singles)}::int8[]) AS id ${atMost(singles.length)}) gap
      CROSS JOIN LATERAL (SELECT * FROM ${schema}.outbox o WHERE o.id = gap.id LIMIT 1) o`)
  }
  if (wide.length > 0) {
    const lows = `$${values.push(wide.map(({ low }) => low))}::int8[]`
    const highs = `$${values.push(wide.map(({ high }) => high))}::int8[]`
    looked.push(`SELECT o.* FROM (SELECT * FROM unnest(${lows}, ${highs}) AS gap(low, high) ${atMost(wide.length)}) gap
      CROSS JOIN LATERAL (
        SELECT * FROM ${schema}.outbox o WHERE o.id >= gap.low AND o.id <= gap.high ORDER BY o.id ${atMost(limit.gaps)}
      ) o`)
  }
  if (looked.length > 0)
    parts.push(`(SELECT * FROM (${looked.join(' UNION ALL ')}) gaps ORDER BY gaps.id ${atMost(limit.gaps)})`)
  parts.push(`(SELECT o.* FROM ${schema}.outbox o WHERE o.id > $2 ORDER BY o.id ${atMost(limit.page)})`)
  // planning takes several times as long as running it where it brings little
  const rows = await names.textRows(
    pool,
    `WITH page AS MATERIALIZED (${parts.join(' UNION ALL ')})
    SELECT NULL::bigint AS id, pg_snapshot_xmin(pg_current_snapshot())::text, (SELECT string_agg(id::text, ',') FROM page),
      ${Array.from({ length: SELECTED_COLUMNS - 2 }, (_, index) => NULLS[index + 2] ?? 'NULL').join(', ')}
    UNION ALL
    SELECT page.id, ${selectMessage('page')} FROM page WHERE ${filter.sql}${andInBuckets('page', buckets)}`,
    values,
  )
  const [head, ...found] = rows
  const seen = head![2] ? head![2].split(',').map(Number) : []
  seen.sort((left, right) => left - right)
  const own = new Map<number, LogRow>()
  for (const row of found) {
    const id = Number(row[0])
    own.set(id, { id, message: fromRow(row, 1, row[0]!), bytes: (row[11]?.length ?? 0) + (row[12]?.length ?? 0) / 2 })
  }
  const inGaps = seen.filter((id) => id <= position)
  return { seen, own, xmin: BigInt(head![1]!), cutAt: inGaps.length >= limit.gaps ? inGaps.at(-1) : undefined }
}

/** Types of the columns that are no text, for the first row of the union. */
const NULLS: Readonly<Record<number, string>> = {
  11: 'NULL::bytea',
  14: 'NULL::int2',
  15: 'NULL::bool',
  16: 'NULL::bigint',
  17: 'NULL::bigint',
}

/** A transaction id that is assigned now, and so is above those of all who own an id seen before. */
export async function newTransactionId(pool: PgPool): Promise<bigint> {
  const [[xid]] = (await textRows(pool, 'SELECT pg_current_xact_id()::text')) as [[string]]
  return BigInt(xid)
}
