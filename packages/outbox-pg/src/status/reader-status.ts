import type { Source } from '@waybill/core'
import { textRows, type PgPool } from '../database.ts'

/** What waits for one destination. */
export interface DestinationStatus {
  /** Such as `queue/mail`. */
  readonly destination: string
  /** In the log and not settled. */
  readonly pending: number
  /** Refused, or behind one of its key that was: to be tried again. */
  readonly waiting: number
  /** Given up on. */
  readonly parked: number
  readonly oldestSeconds: number
  /** What was said of those that wait or are parked, of the one that failed most. */
  readonly lastError: string | null
}

/** A part of a reader's buckets: one instance runs it. */
export interface RangeStatus {
  /** Of the 16 buckets, from this one on, up to `to`, which is not counted in. */
  readonly from: number
  readonly to: number
  readonly position: number
  /** Somebody holds its lease. */
  readonly running: boolean
}

export interface ReaderStatus {
  readonly name: string
  readonly kind: string
  /** Of the range that is furthest behind. */
  readonly position: number
  /** Ids between the reader and the end of the log, whoever they are for. */
  readonly lag: number
  /** Ranges of ids that are not there yet, or not settled; of several instances' the most. */
  readonly open: number
  /** Somebody holds its lease; of several ranges: each of them. */
  readonly running: boolean
  /** Seconds since somebody ran all of it last. A reader that nobody runs any more holds the log. */
  readonly seenSecondsAgo: number
  /** Its own messages that are not settled, those that wait to be tried again counted in. */
  readonly pending: number
  /** Counting stopped: there are at least so many. */
  readonly pendingAtLeast: boolean
  /** Age of the oldest of them. */
  readonly oldestPendingSeconds: number | null
  readonly waiting: number
  readonly parked: number
  /** What its holder has trouble with, such as a broker that is away. */
  readonly trouble: string | null
  readonly troubleSeconds: number | null
  readonly destinations: readonly DestinationStatus[]
  /** Several where instances share the reader. */
  readonly ranges: readonly RangeStatus[]
}

/** Counting stops here: who is behind by more is behind. */
const MAX_COUNTED = 50_000
const MAX_DESTINATIONS = 50

export async function readReaders(
  pool: PgPool,
  schema: string,
  lastId: number,
  names: readonly string[] | undefined,
  timeoutMs?: number,
): Promise<ReaderStatus[]> {
  const rows = await textRows(
    pool,
    `SELECT r.name, r.kind, r.position, (SELECT count(*) FROM unnest(r.open)),
       coalesce(r.leased_until > clock_timestamp(), false),
       extract(epoch FROM clock_timestamp() - r.seen_at)::float8, r.trouble,
       extract(epoch FROM clock_timestamp() - r.trouble_since)::float8, r.sources, lower(r.buckets), upper(r.buckets)
     FROM ${schema}.reader r WHERE $1::text[] IS NULL OR r.name = ANY ($1) ORDER BY r.name, lower(r.buckets)`,
    [names ?? null],
    timeoutMs,
  )
  const byName = new Map<string, (string | null)[][]>()
  for (const row of rows) byName.set(row[0]!, [...(byName.get(row[0]!) ?? []), row])
  const readers: ReaderStatus[] = []
  for (const [name, own] of byName) {
    const kind = own[0]![1]!
    const ranges = own.map((row) => ({
      from: Number(row[9]),
      to: Number(row[10]),
      position: Number(row[2]),
      running: row[4] === 't',
    }))
    const position = Math.min(...ranges.map((range) => range.position))
    const running = ranges.every((range) => range.running)
    const troubled = own.find((row) => row[6] != null)
    const places = await placesOf(pool, schema, name, sourcesOf(name, kind, own[0]![8] ?? null), timeoutMs)
    const waiting = sum(places.map((place) => place.waiting))
    const inLog = sum(places.map((place) => place.pending))
    const ages = places.flatMap((place) => (place.pending + place.waiting > 0 ? place.oldestSeconds : []))
    readers.push({
      name,
      kind,
      position,
      lag: Math.max(0, lastId - position),
      open: Math.max(...own.map((row) => Number(row[3]))),
      running,
      seenSecondsAgo: Math.round(Math.max(...own.map((row) => Number(row[5])))),
      pending: inLog + waiting,
      pendingAtLeast: inLog >= MAX_COUNTED,
      oldestPendingSeconds: ages.length === 0 ? null : Math.max(...ages),
      waiting,
      parked: sum(places.map((place) => place.parked)),
      trouble: troubled?.[6] ?? null,
      troubleSeconds: troubled?.[7] == null ? null : Math.round(Number(troubled[7])),
      destinations: places.slice(0, MAX_DESTINATIONS),
      ranges,
    })
  }
  return readers
}

/** What a reader has before it: rows above its positions and in its open ranges, and those it put aside. */
async function placesOf(
  pool: PgPool,
  schema: string,
  name: string,
  sources: readonly string[] | undefined,
  timeoutMs?: number,
): Promise<DestinationStatus[]> {
  const columns = 'o.id, o.transport, o.kind, o.destination, o.created_at'
  const rows = await textRows(
    pool,
    `WITH me AS MATERIALIZED (SELECT buckets, position, open FROM ${schema}.reader WHERE name = $1),
     ahead AS (
       (SELECT ${columns} FROM me, unnest(me.open) AS range CROSS JOIN LATERAL (
          SELECT * FROM ${schema}.outbox o WHERE o.id >= lower(range) AND o.id < upper(range) AND o.bucket::int4 <@ me.buckets
          ORDER BY o.id LIMIT ${MAX_COUNTED}
        ) o LIMIT ${MAX_COUNTED})
       UNION ALL
       (SELECT ${columns} FROM ${schema}.outbox o JOIN me ON o.bucket::int4 <@ me.buckets AND o.id > me.position
        WHERE o.id > (SELECT min(position) FROM me) ORDER BY o.id LIMIT ${MAX_COUNTED})),
     own AS (
       SELECT kind || '/' || destination AS place, 1 AS pending, 0 AS waiting, 0 AS parked, created_at,
         NULL::text AS error, 0 AS attempts
       FROM ahead WHERE CASE WHEN $2::text[] IS NULL THEN transport IS NULL OR 'relay/' || transport = $1
         ELSE transport = 'postgres' AND kind || '/' || destination = ANY ($2) END
       UNION ALL
       SELECT kind || '/' || destination, 0, (parked_at IS NULL)::int, (parked_at IS NOT NULL)::int, created_at,
         last_error, attempts
       FROM (SELECT * FROM ${schema}.outbox_retry WHERE reader = $1 LIMIT ${MAX_COUNTED}) aside)
     SELECT place, sum(pending), sum(waiting), sum(parked), extract(epoch FROM clock_timestamp() - min(created_at))::float8,
       (array_agg(error ORDER BY attempts DESC) FILTER (WHERE error IS NOT NULL))[1]
     FROM own GROUP BY place ORDER BY 5 DESC`,
    [name, sources ?? null],
    timeoutMs,
  )
  return rows.map((row) => ({
    destination: row[0]!,
    pending: Number(row[1]),
    waiting: Number(row[2]),
    parked: Number(row[3]),
    oldestSeconds: Math.max(0, Number(row[4])),
    lastError: row[5] ?? null,
  }))
}

/** What the reader reads of rows that PostgreSQL itself carries; `undefined` for a relay. */
function sourcesOf(name: string, kind: string, sources: string | null): readonly string[] | undefined {
  if (kind === 'relay') return undefined
  const read = (sources === null ? [] : (JSON.parse(sources) as Source[])).map(
    (source) => `${source.kind}/${source.name}`,
  )
  // a reply address has no sources of its own, a queue and a service's intake have the reader's name
  return [...read, kind === 'process' ? `reply/${name.slice('process/'.length)}` : name]
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)
