import { textRows, type PgPool } from './database.ts'
import { quoteLiteral, quoteSchema } from './schema-name.ts'

export interface ReaderStatus {
  readonly name: string
  readonly kind: string
  readonly position: number
  /** Ids between the reader and the end of the log, whoever they are for. */
  readonly lag: number
  /** Ranges of ids that are not there yet, or not settled. */
  readonly open: number
  /** Somebody holds its lease. */
  readonly running: boolean
  /** Seconds since somebody ran it last. A reader that nobody runs any more holds the log. */
  readonly seenSecondsAgo: number
  readonly waiting: number
  readonly parked: number
}

export interface LogStatus {
  readonly schemaVersion: number
  readonly lastId: number
  readonly partitions: number
  readonly scheduled: number
  /** Age of the oldest row that some reader has not passed, in seconds. */
  readonly oldestPendingSeconds: number | null
  readonly readers: readonly ReaderStatus[]
}

/** What stands where: no payloads, only counts, names and ages. */
export async function logStatus(options: {
  readonly pool: PgPool
  readonly schema?: string | undefined
}): Promise<LogStatus> {
  const { pool } = options
  const schema = quoteSchema(options.schema)
  const [[version, lastId, partitions, scheduled, oldest]] = (await textRows(
    pool,
    `SELECT (SELECT schema_version FROM ${schema}.meta), (SELECT coalesce(max(id), 0) FROM ${schema}.outbox),
       (SELECT count(*) FROM pg_inherits WHERE inhparent = ${quoteLiteral(`${schema}.outbox`)}::regclass),
       (SELECT count(*) FROM ${schema}.outbox_scheduled),
       (SELECT extract(epoch FROM clock_timestamp() - created_at)::float8 FROM ${schema}.outbox
        WHERE id > (SELECT min(position) FROM ${schema}.reader) ORDER BY outbox.id LIMIT 1)`,
  )) as [[string, string, string, string, string | null]]
  const readers = await textRows(
    pool,
    `SELECT r.name, r.kind, r.position, greatest(0, $1::bigint - r.position),
       (SELECT count(*) FROM unnest(r.open)), coalesce(r.leased_until > clock_timestamp(), false),
       extract(epoch FROM clock_timestamp() - r.seen_at)::float8,
       (SELECT count(*) FROM ${schema}.outbox_retry o WHERE o.reader = r.name AND o.parked_at IS NULL),
       (SELECT count(*) FROM ${schema}.outbox_retry o WHERE o.reader = r.name AND o.parked_at IS NOT NULL)
     FROM ${schema}.reader r ORDER BY r.name`,
    [lastId],
  )
  return {
    schemaVersion: Number(version),
    lastId: Number(lastId),
    partitions: Number(partitions),
    scheduled: Number(scheduled),
    oldestPendingSeconds: oldest === null ? null : Number(oldest),
    readers: readers.map((row) => ({
      name: row[0]!,
      kind: row[1]!,
      position: Number(row[2]),
      lag: Number(row[3]),
      open: Number(row[4]),
      running: row[5] === 't',
      seenSecondsAgo: Math.round(Number(row[6])),
      waiting: Number(row[7]),
      parked: Number(row[8]),
    })),
  }
}
