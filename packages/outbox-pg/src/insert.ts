import type { WireMessage } from '@waybill/core'
import type { PgStatement } from './database.ts'
import { checkIndexed, storedKey } from './index-text.ts'
import { COLUMN_NAMES, MESSAGE_COLUMNS, toRow } from './row.ts'

/** One message to be written, with the key under which a second one is not. */
export interface NewRow {
  readonly message: WireMessage
  readonly dedupeKey?: string | undefined
}

export interface InsertOptions {
  /** Quoted. */
  readonly schema: string
  /** The carrier of messages that name none. */
  readonly transport: string | undefined
  readonly dedupeMs: number
}

const ONE_ROW = MESSAGE_COLUMNS.map((_, index) => `$${index + 1}`).join(', ')

/**
 * Makes the statements that write messages: one for all that leave at once, one more for those that wait for their time.
 * What it returns throws a `PublishError`, not retryable, for a name that no column or index takes.
 */
export function inserter(options: InsertOptions): (rows: readonly NewRow[]) => readonly PgStatement[] {
  // the commonest, put together once
  const oneRow = `INSERT INTO ${options.schema}.outbox (${COLUMN_NAMES}) VALUES (${ONE_ROW})`
  return (rows) => insertStatements(rows, options, oneRow)
}

function insertStatements(rows: readonly NewRow[], options: InsertOptions, oneRow: string): readonly PgStatement[] {
  for (const { message } of rows) checkIndexed(message)
  const waiting = rows.filter(({ message }) => message.deliverAtMs !== undefined)
  const going = waiting.length === 0 ? rows : rows.filter(({ message }) => message.deliverAtMs === undefined)
  const statements: PgStatement[] = []
  if (going.length > 0) statements.push(insertInto('outbox', going, options, oneRow))
  if (waiting.length > 0) statements.push(insertInto('outbox_scheduled', waiting, options, oneRow))
  return statements
}

function insertInto(
  table: 'outbox' | 'outbox_scheduled',
  rows: readonly NewRow[],
  { schema, transport, dedupeMs }: InsertOptions,
  oneRow: string,
): PgStatement {
  const [first] = rows
  // one row by VALUES: arrays of one element each cost the server as much again
  if (table === 'outbox' && rows.length === 1 && first!.dedupeKey === undefined) {
    return { text: oneRow, values: toRow(first!.message, transport) }
  }
  const columns: unknown[][] = MESSAGE_COLUMNS.map(() => [])
  for (const { message } of rows) {
    toRow(message, transport).forEach((value, index) => columns[index]!.push(value))
  }
  const scheduled = table === 'outbox_scheduled'
  const deduped = rows.some(({ dedupeKey }) => dedupeKey !== undefined)
  const types: string[] = MESSAGE_COLUMNS.map(([, type]) => type)
  let names = COLUMN_NAMES
  if (scheduled) {
    columns.push(rows.map(({ message }) => new Date(message.deliverAtMs!).toISOString()))
    types.push('timestamptz')
    names += ', deliver_at'
  }
  // one row after another in the order given: the identity column counts in the order of the sorted rows
  const given = (alias: string, extra: string, more: readonly string[]) =>
    `unnest(${[...types, ...more].map((type, index) => `$${index + 1}::${type}[]`).join(', ')})
     WITH ORDINALITY AS ${alias}(${names}${extra}, place)`
  if (!deduped) {
    return {
      text: `INSERT INTO ${schema}.${table} (${names}) SELECT ${names} FROM ${given('given', '', [])} ORDER BY place`,
      values: columns,
    }
  }
  columns.push(rows.map(({ dedupeKey }) => (dedupeKey === undefined ? null : storedKey(dedupeKey))))
  return {
    text: `WITH given AS MATERIALIZED (SELECT *, row_number() OVER (PARTITION BY type, dedupe_key ORDER BY place) AS copy
        FROM ${given('rows', ', dedupe_key', ['text'])}),
      fresh AS (
        INSERT INTO ${schema}.outbox_dedupe AS seen (type, key, expires_at)
        SELECT type, dedupe_key, now() + $${columns.length + 1}::float8 * interval '1 ms'
        FROM given WHERE dedupe_key IS NOT NULL AND copy = 1 ORDER BY type, dedupe_key
        ON CONFLICT (type, key) DO UPDATE SET expires_at = excluded.expires_at WHERE seen.expires_at <= now()
        RETURNING type, key)
      INSERT INTO ${schema}.${table} (${names})
      SELECT ${names} FROM given
      WHERE dedupe_key IS NULL OR copy = 1 AND (type, dedupe_key) IN (SELECT type, key FROM fresh)
      ORDER BY place`,
    values: [...columns, dedupeMs],
  }
}
