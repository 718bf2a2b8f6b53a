import { textRows, type PgPool } from '../database.ts'

export interface PendingQuery {
  readonly pool: PgPool
  /** Quoted. */
  readonly schema: string
  readonly reader: string
  /** Each counts what is in the buckets that it holds, so that no row is counted twice. */
  readonly holder: string
  readonly transport: string
  /** Rows that name no carrier are this one's. */
  readonly unnamed: boolean
}

export interface Pending {
  readonly count: number
  readonly oldestAgeSeconds: number
}

/** Counting stops here: what is behind by more than this is behind. */
const MAX_COUNTED = 100_000

/** Messages in this relay's buckets that were committed and not confirmed yet, and the age of the oldest; nothing while it holds none. */
export async function readPending(query: PendingQuery): Promise<Pending | undefined> {
  const { pool, schema, reader, holder, transport, unnamed } = query
  const [row] = await textRows(
    pool,
    `WITH held AS MATERIALIZED (
       SELECT buckets, position, open, coalesce(lower(open), position + 1) AS first FROM ${schema}.reader
       WHERE name = $1 AND leased_by = $2 AND leased_until > clock_timestamp()
       ORDER BY position LIMIT 1)
     SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(pending.created_at))::float8, 0)
     FROM held CROSS JOIN LATERAL (
       (SELECT created_at FROM ${schema}.outbox
        WHERE id >= held.first AND (id > held.position OR id <@ held.open)
          AND (transport = $3 OR ($4 AND transport IS NULL)) AND bucket::int4 <@ held.buckets
        ORDER BY id LIMIT ${MAX_COUNTED})
       UNION ALL
       (SELECT created_at FROM ${schema}.outbox_retry WHERE reader = $1 AND parked_at IS NULL
          AND bucket::int4 <@ held.buckets LIMIT ${MAX_COUNTED})
     ) pending
     HAVING EXISTS (SELECT FROM held)`,
    [reader, holder, transport, unnamed],
  )
  return row && { count: Number(row[0]), oldestAgeSeconds: Number(row[1]) }
}
