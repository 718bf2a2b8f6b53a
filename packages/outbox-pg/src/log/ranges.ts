import { textRows, type PgPool } from '../database.ts'
import { ALL_BUCKETS, type Buckets } from './buckets.ts'
import { readRanges } from './gaps.ts'
import { readStarts, type Hold } from './lease.ts'

/** Two ranges become one while their positions are no further apart: what lies between is kept id by id. */
export const JOIN_WITHIN = 5_000
/** Who waits asks anew more often than this. */
const SHORTEST_ASK_MS = 2_000

/** What became of two ranges. */
export interface Joined extends Hold {
  /** Those that came with the other range. */
  readonly added: Buckets
  readonly position: number
  /** What is open up to there of either range. */
  readonly open: readonly (readonly [low: number, high: number])[]
  /** Of the other range. */
  readonly starts: ReadonlyMap<number, number>
  /** Who held the other range last did not give it back. */
  readonly unclean: boolean
}

/** How the instances that run one reader share its buckets: each holds one range, and who finds none free asks for a half. */
export class ReaderRanges {
  readonly #pool: PgPool
  readonly #schema: string
  readonly #name: string
  readonly #leaseMs: number

  constructor(options: {
    readonly pool: PgPool
    readonly schema: string
    readonly name: string
    readonly leaseMs: number
  }) {
    this.#pool = options.pool
    this.#schema = options.schema
    this.#name = options.name
    this.#leaseMs = options.leaseMs
  }

  /** Asks whoever holds the widest range for a half of it; the holder sees it with its next checkpoint. */
  async ask(holder: string): Promise<void> {
    await textRows(
      this.#pool,
      `UPDATE ${this.#schema}.reader SET wanted_by = $2, wanted_until = clock_timestamp() + $3::float8 * interval '1 ms'
       WHERE name = $1 AND lower(buckets) = (
         SELECT lower(buckets) FROM ${this.#schema}.reader
         WHERE name = $1 AND leased_until > clock_timestamp() AND upper(buckets) - lower(buckets) > 1
           AND (wanted_by = $2 OR wanted_until IS NULL OR wanted_until < clock_timestamp())
         ORDER BY wanted_by IS NOT DISTINCT FROM $2 DESC, upper(buckets) - lower(buckets) DESC, lower(buckets) LIMIT 1)`,
      [this.#name, holder, Math.max(SHORTEST_ASK_MS, this.#leaseMs)],
    )
  }

  /** Asks no more, and gives back what was handed over meanwhile; `kept`: the range that is held. */
  async withdraw(holder: string, kept?: Buckets): Promise<void> {
    await textRows(
      this.#pool,
      `UPDATE ${this.#schema}.reader SET wanted_by = nullif(wanted_by, $2),
         wanted_until = CASE WHEN wanted_by <> $2 THEN wanted_until END,
         leased_by = CASE WHEN leased_by <> $2 OR lower(buckets) = $3 THEN leased_by END,
         leased_until = CASE WHEN leased_by <> $2 OR lower(buckets) = $3 THEN leased_until END
       WHERE name = $1 AND (wanted_by = $2 OR leased_by = $2 AND lower(buckets) IS DISTINCT FROM $3::int4)`,
      [this.#name, holder, kept?.from ?? null],
    )
  }

  /**
   * SQL: the position of a range that nobody holds and nobody waits for, if it can be joined to this one, or is so far
   * behind it that it has to be read first. Who has all buckets does not ask.
   */
  freePosition({ from, to }: Buckets): string {
    if (from === ALL_BUCKETS.from && to === ALL_BUCKETS.to) return 'NULL'
    const reader = `${this.#schema}.reader`
    return `(SELECT o.position FROM ${reader} o
       WHERE o.name = $1 AND (o.leased_until IS NULL OR o.leased_until < clock_timestamp()) AND lower(o.buckets) <> ${from}
         AND (o.buckets -|- int4range(${from}, ${to}) OR o.position < $3::bigint - ${JOIN_WITHIN})
         AND NOT EXISTS (SELECT FROM ${reader} w WHERE w.name = $1 AND w.wanted_until > clock_timestamp())
       ORDER BY o.position LIMIT 1)`
  }

  /**
   * Hands the upper half to whoever asked for it, under a lease of its own. Nothing may be open but what is stored.
   * @returns what is left, and whose counts went with the other half; `undefined` when nobody asks any more
   */
  async split({ buckets: { from, to }, token }: Hold): Promise<{ kept: Buckets; counts: number[] } | undefined> {
    const middle = Math.ceil((from + to) / 2)
    const reader = `${this.#schema}.reader`
    const rows = await textRows(
      this.#pool,
      `WITH mine AS MATERIALIZED (
         SELECT * FROM ${reader}
         WHERE name = $1 AND lower(buckets) = $2 AND token = $3 AND wanted_until > clock_timestamp() FOR UPDATE),
       counts AS MATERIALIZED (
         SELECT coalesce(jsonb_object_agg(key, value), '{}') AS starts FROM mine, jsonb_each(mine.starts)
         WHERE coalesce(
           (SELECT bucket FROM ${this.#schema}.outbox o WHERE o.id = key::bigint),
           (SELECT bucket FROM ${this.#schema}.outbox_retry r WHERE r.reader = $1 AND r.id = key::bigint)) >= $4),
       kept AS (
         UPDATE ${reader} r SET buckets = int4range($2, $4), wanted_by = NULL, wanted_until = NULL,
           starts = mine.starts - ARRAY(SELECT jsonb_object_keys(counts.starts) FROM counts)
         FROM mine WHERE r.name = $1 AND r.buckets = mine.buckets RETURNING 1)
       INSERT INTO ${reader}
         (name, buckets, kind, sources, position, open, token, leased_by, leased_until, settings, starts)
       SELECT name, int4range($4, $5), kind, sources, position, open, token + 1, wanted_by,
         clock_timestamp() + $6::float8 * interval '1 ms', settings, counts.starts
       FROM mine, counts, kept RETURNING starts`,
      [this.#name, from, token, middle, to, this.#leaseMs],
    )
    return rows[0] && { kept: { from, to: middle }, counts: [...readStarts(rows[0][0]!).keys()] }
  }

  /**
   * Takes a neighbour that nobody holds into the range: one row of both. Each is looked at as if it had read as far as the
   * other, all in between open. Then an id that is there is open if its own range says so; one that is not there only if
   * both do: whoever of the two does not wait for it knows that it never comes.
   * @returns `undefined` when there is no such neighbour any more
   */
  async join({ buckets: { from }, token }: Hold): Promise<Joined | undefined> {
    const reader = `${this.#schema}.reader`
    const free = '(r.leased_until IS NULL OR r.leased_until < clock_timestamp())'
    const upTo = (range: string) =>
      `${range}.open + int8multirange(int8range(${range}.position + 1, greatest(mine.position, other.position) + 1))`
    const idsOf = (where: string) =>
      `coalesce((SELECT range_agg(int8range(id, id, '[]')) FROM there ${where}), '{}'::int8multirange)`
    const rows = await textRows(
      this.#pool,
      `WITH mine AS MATERIALIZED (
         SELECT * FROM ${reader} WHERE name = $1 AND lower(buckets) = $2 AND token = $3 FOR UPDATE),
       other AS MATERIALIZED (
         SELECT r.* FROM ${reader} r, mine
         WHERE r.name = $1 AND r.buckets -|- mine.buckets AND ${free} AND abs(r.position - mine.position) <= ${JOIN_WITHIN}
         ORDER BY r.position LIMIT 1),
       -- only as this statement's snapshot has it: what it read since would be missing below
       locked AS MATERIALIZED (
         SELECT r.buckets FROM ${reader} r, other
         WHERE r.name = $1 AND r.buckets = other.buckets AND r.token = other.token AND r.position = other.position
           AND r.open = other.open AND ${free} FOR UPDATE OF r SKIP LOCKED),
       gone AS (DELETE FROM ${reader} r USING locked WHERE r.name = $1 AND r.buckets = locked.buckets RETURNING 1),
       both_ranges AS MATERIALIZED (
         SELECT mine.buckets AS mine, other.buckets AS other, other.starts, other.leased_by IS NOT NULL AS unclean,
           greatest(mine.token, other.token) + 1 AS token, greatest(mine.position, other.position) AS position,
           ${upTo('mine')} AS mine_open, ${upTo('other')} AS other_open
         FROM mine, other, gone),
       there AS MATERIALIZED (
         SELECT o.id, o.bucket::int4 <@ mine AND o.id <@ mine_open OR o.bucket::int4 <@ other AND o.id <@ other_open AS open
         FROM both_ranges, unnest(mine_open + other_open) AS range CROSS JOIN LATERAL (
           SELECT id, bucket FROM ${this.#schema}.outbox WHERE id >= lower(range) AND id < upper(range)) o)
       UPDATE ${reader} r SET buckets = b.mine + b.other, token = b.token, position = b.position,
         open = b.mine_open * b.other_open - ${idsOf('')} + ${idsOf('WHERE open')}, starts = r.starts || b.starts
       FROM both_ranges b WHERE r.name = $1 AND r.buckets = b.mine
       RETURNING lower(r.buckets), upper(r.buckets), r.token, lower(b.other), upper(b.other), r.position, r.open,
         b.starts, b.unclean`,
      [this.#name, from, token],
    )
    if (!rows[0]) return undefined
    const [low, above, newToken, addedFrom, addedTo, position, open, starts, unclean] = rows[0] as string[]
    return {
      buckets: { from: Number(low), to: Number(above) },
      token: newToken!,
      added: { from: Number(addedFrom), to: Number(addedTo) },
      position: Number(position),
      open: readRanges(open!),
      starts: readStarts(starts!),
      unclean: unclean === 't',
    }
  }
}
