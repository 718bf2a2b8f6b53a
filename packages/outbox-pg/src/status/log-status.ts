import { textRows, type PgPool } from '../database.ts'
import { quoteLiteral, quoteSchema } from '../schema-name.ts'
import { checkSchemaVersion } from '../schema-version.ts'
import { oldestGapOwner } from './gap-owner.ts'
import { hasManyGaps, problemsOf, type Problem } from './problems.ts'
import type { LogFacts } from './log-facts.ts'
import { readReaders } from './reader-status.ts'
import { openWriters } from './writers.ts'

export interface LogStatus extends LogFacts {
  /** What is not well, the worst first, each with what to do about it. */
  readonly problems: readonly Problem[]
}

export interface LogStatusOptions {
  readonly pool: PgPool
  /** @default 'waybill' */
  readonly schema?: string | undefined
  /** Of these readers alone. @default all */
  readonly readers?: readonly string[] | undefined
  /** How long each statement may take, in milliseconds. @default 10_000 */
  readonly timeoutMs?: number | undefined
}

/**
 * What stands where, what is stuck and why: counts, names, ages and reasons, never a payload. Bounded work, whatever the
 * log holds.
 * @throws {ConfigError} where the tables are missing or older than this code needs
 */
export async function logStatus(options: LogStatusOptions): Promise<LogStatus> {
  const { pool, timeoutMs } = options
  const schema = quoteSchema(options.schema)
  await checkSchemaVersion(pool, schema, timeoutMs)
  const [[version, lastId, partitions, inDefault, scheduled]] = (await textRows(
    pool,
    `SELECT (SELECT schema_version FROM ${schema}.meta), (SELECT coalesce(max(id), 0) FROM ${schema}.outbox),
       (SELECT count(*) FROM pg_inherits WHERE inhparent = ${quoteLiteral(`${schema}.outbox`)}::regclass),
       (SELECT count(*) FROM (SELECT FROM ${schema}.outbox_default LIMIT 10000) counted),
       (SELECT count(*) FROM ${schema}.outbox_scheduled)`,
    [],
    timeoutMs,
  )) as [[string, string, string, string, string]]
  const readers = await readReaders(pool, schema, Number(lastId), options.readers, timeoutMs)
  const ages = readers.flatMap(({ oldestPendingSeconds }) => oldestPendingSeconds ?? [])
  const facts: LogFacts = {
    schemaVersion: Number(version),
    lastId: Number(lastId),
    partitions: Number(partitions),
    inDefaultPartition: Number(inDefault),
    scheduled: Number(scheduled),
    oldestPendingSeconds: ages.length === 0 ? null : Math.max(...ages),
    readers,
    writers: await openWriters(pool, schema, timeoutMs),
    gapOwner: readers.some(hasManyGaps) ? await oldestGapOwner(pool, timeoutMs) : null,
    unread: options.readers === undefined ? await unreadOf(pool, schema, timeoutMs) : [],
  }
  return { ...facts, problems: problemsOf(facts) }
}

/** Rows for carriers and queues that nobody ever read: they are kept, and wait. */
async function unreadOf(pool: PgPool, schema: string, timeoutMs?: number): Promise<LogStatus['unread']> {
  const rows = await textRows(
    pool,
    `SELECT transport, CASE WHEN transport = 'postgres' THEN kind || '/' || destination ELSE '' END, count(*)
     FROM (SELECT transport, kind, destination FROM ${schema}.outbox ORDER BY id DESC LIMIT 10000) newest
     WHERE NOT EXISTS (
       SELECT FROM ${schema}.reader WHERE CASE
         WHEN transport IS NULL THEN reader.kind = 'relay'
         WHEN transport <> 'postgres' THEN reader.name = 'relay/' || transport
         WHEN newest.kind IN ('queue', 'service') THEN reader.name = newest.kind || '/' || newest.destination
         ELSE true END)
     GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 20`,
    [],
    timeoutMs,
  )
  return rows.map(([transport, destination, count]) => ({
    transport: transport!,
    destination: destination!,
    count: Number(count),
  }))
}
