import { ConfigError } from '@waybill/core'
import { textRows, type PgPool } from '../database.ts'
import { ReaderRow, type ReaderKind, type ReaderStart } from './reader-row.ts'

/**
 * Sets a reader to another place in the log, with all of its buckets in one row again. Who runs it loses its lease with
 * the next write and goes on from there.
 * Going back keeps what is open below that place; going forward skips what lies between.
 * @returns the next id it looks at, and the first that is there
 * @throws {ConfigError} for a reader that is not there
 */
export async function moveReader(pool: PgPool, schema: string, name: string, to: ReaderStart) {
  const row = new ReaderRow(pool, schema, { name, kind: 'service', service: name, leaseMs: 0 })
  const { position, open } = await row.startOf(to)
  const moved = await textRows(
    pool,
    `WITH before AS MATERIALIZED (SELECT * FROM ${schema}.reader WHERE name = $1 FOR UPDATE),
     kept AS (
       SELECT range_agg(range) AS open FROM before, unnest(before.open * int8multirange(int8range(0, $2::bigint + 1))) AS range
       WHERE $2::bigint <= before.position),
     gone AS (DELETE FROM ${schema}.reader r WHERE r.name = $1 AND lower(r.buckets) > 0 AND EXISTS (SELECT FROM before))
     UPDATE ${schema}.reader SET buckets = DEFAULT, position = $2, token = (SELECT max(token) + 1 FROM before),
       leased_by = NULL, leased_until = NULL, wanted_by = NULL, wanted_until = NULL, starts = '{}',
       open = $3::int8multirange + coalesce((SELECT open FROM kept), '{}')
     WHERE name = $1 AND lower(buckets) = 0 AND EXISTS (SELECT FROM before) RETURNING (SELECT min(id) FROM ${schema}.outbox)`,
    [name, position, open],
  )
  if (moved.length === 0) throw noReader(name)
  return { next: Number(position) + 1, first: moved[0]![0] == null ? null : Number(moved[0]![0]) }
}

/**
 * Ends a reader that nobody runs: what it has not read is kept for it no longer. What it parked stays.
 * @throws {ConfigError} for a reader that is not there, or runs
 */
export async function dropReader(pool: PgPool, schema: string, name: string): Promise<void> {
  const rows = await textRows(
    pool,
    `WITH gone AS (
       DELETE FROM ${schema}.reader WHERE name = $1
         AND NOT EXISTS (SELECT FROM ${schema}.reader WHERE name = $1 AND leased_until >= clock_timestamp()) RETURNING name),
     aside AS (DELETE FROM ${schema}.outbox_retry r USING gone WHERE r.reader = gone.name AND r.parked_at IS NULL)
     SELECT (SELECT count(*) FROM gone), (SELECT max(kind) FROM ${schema}.reader WHERE name = $1)`,
    [name],
  )
  const [dropped, kind] = rows[0] as [string, ReaderKind | null]
  if (dropped !== '0') return
  if (kind === null) throw noReader(name)
  throw new ConfigError(`${name} is running: stop all who run it first, or it would be made anew at once`)
}

function noReader(name: string): ConfigError {
  return new ConfigError(`no reader is named "${name}": see "waybill-outbox readers list"`)
}
