import { ConfigError } from '@waybill/core'
import { textRows, type PgPool } from '../database.ts'
import { COLUMN_NAMES } from '../row.ts'
import { checkSchemaVersion, schemaFits } from '../schema-version.ts'
import { StatementNames } from '../statement-names.ts'
import { openRanges, readRanges, resume, type LogPosition } from './gaps.ts'
import { readStarts, type Hold, type LeaseGrant } from './lease.ts'
import { ReaderRanges } from './ranges.ts'

/** What a reader is: a relay's for one transport, a service's, one queue's, or of one process. */
export type ReaderKind = 'relay' | 'service' | 'queue' | 'process'

export type ReaderStart = 'earliest' | 'latest' | { readonly timeMs: number } | { readonly position: string }

/** A row that leaves the log for `outbox_retry`, or changes there. */
export interface Move {
  readonly id: number
  readonly fromRetry: boolean
  readonly attempts: number
  /** `undefined`: not before something else lets it go. */
  readonly delayMs: number | undefined
  readonly error: string
  /** JSON, `undefined` to leave them. */
  readonly headers: string | undefined
  readonly parked: boolean
}

/** What else is told of a reader. */
export interface ReaderNotes {
  /** What the holder has trouble with; `null`: nothing any more. */
  readonly trouble?: string | null | undefined
  /** Starts that were counted, by id. */
  readonly starts?: ReadonlyMap<number, number> | undefined
}

/** What a holder learns when it stores where it stands. */
export interface Held {
  /** Somebody waits for a half of the range. */
  readonly wanted: boolean
  /** Position of another range that nobody holds. */
  readonly free: number | undefined
}

const MOST_TROUBLE = 500

/** The stored side of one reader: a row for each range of buckets. Each write names range and token, so that a late one does nothing. */
export class ReaderRow {
  readonly #pool: PgPool
  readonly #schema: string
  readonly name: string
  readonly kind: ReaderKind
  /** `undefined` for a reader that lives with its process: nobody shares it. */
  readonly ranges: ReaderRanges | undefined
  readonly #service: string
  readonly #sources: string | null
  readonly #leaseMs: number
  readonly #settings: string | null
  readonly #names: StatementNames

  constructor(
    pool: PgPool,
    schema: string,
    options: {
      readonly name: string
      readonly kind: ReaderKind
      /** Whose rows in `outbox_retry` these are. */
      readonly service: string
      /** JSON of what the reader reads, for publishers that ask whether anybody does. */
      readonly sources?: string | undefined
      readonly leaseMs: number
      /** What all who run this reader must agree on, as text. */
      readonly settings?: string | undefined
      /** For what is written all the time. @default nothing is prepared */
      readonly names?: StatementNames | undefined
    },
  ) {
    this.#pool = pool
    this.#schema = schema
    this.name = options.name
    this.kind = options.kind
    this.ranges = options.kind === 'process' ? undefined : new ReaderRanges({ ...options, pool, schema })
    this.#service = options.service
    this.#sources = options.sources ?? null
    this.#leaseMs = options.leaseMs
    this.#settings = options.settings ?? null
    this.#names = options.names ?? new StatementNames(false)
  }

  /**
   * Makes a row for all buckets if there is none of any; `true` when it was made.
   * @throws {ConfigError} where the tables are missing or of another version than this code works on
   */
  async register(start: ReaderStart): Promise<boolean> {
    await checkSchemaVersion(this.#pool, this.#schema)
    const [known] = await textRows(this.#pool, `SELECT sources FROM ${this.#schema}.reader WHERE name = $1`, [
      this.name,
    ])
    if (known) {
      if (this.#sources !== null && known[0] !== this.#sources) {
        await textRows(this.#pool, `UPDATE ${this.#schema}.reader SET sources = $2 WHERE name = $1`, [
          this.name,
          this.#sources,
        ])
      }
      return false
    }
    const { position, open } = await this.startOf(start)
    const made = await textRows(
      this.#pool,
      `INSERT INTO ${this.#schema}.reader (name, kind, position, open, sources) VALUES ($1, $2, $3, $4::int8multirange, $5)
       ON CONFLICT DO NOTHING RETURNING 1`,
      [this.name, this.kind, position, open, this.#sources],
    )
    return made.length > 0
  }

  /** Position and open ranges of a reader that begins there. */
  async startOf(start: ReaderStart): Promise<{ position: string; open: string }> {
    const outbox = `${this.#schema}.outbox`
    if (start === 'earliest') return { position: '0', open: '{}' }
    if (typeof start === 'object' && 'position' in start) {
      return { position: String(Math.max(0, Number(start.position) - 1)), open: '{}' }
    }
    if (typeof start === 'object') {
      const [[first]] = (await textRows(
        this.#pool,
        `SELECT min(id) - 1 FROM ${outbox} WHERE created_at >= timestamptz 'epoch' + $1::float8 * interval '1 ms'`,
        [start.timeMs],
      )) as [[string | null]]
      if (first !== null) return { position: first, open: '{}' }
    }
    // the end of the log, and every id below that is not there yet: what is committed from now on belongs to us
    const [[position, open]] = (await textRows(
      this.#pool,
      `SELECT coalesce(max(id), 0),
         coalesce(range_agg(int8range(before + 1, id)) FILTER (WHERE id > before + 1), '{}')
       FROM (SELECT id, lag(id, 1, 0::bigint) OVER (ORDER BY id) AS before FROM ${outbox}) ids`,
    )) as [[string, string]]
    return { position, open }
  }

  /**
   * The lease of a range that nobody else holds: of the one that is behind most.
   * @throws {ConfigError} where this code does not fit the tables, or another holder runs with other settings
   */
  async acquire(holder: string): Promise<LeaseGrant | undefined> {
    const rows = await this.#take(holder).catch(async (error: unknown) => {
      // a table or column that is not there says less than the version does
      if (/^(?:42P01|42703|3F000)$/.test(String((error as { code?: unknown }).code))) {
        await checkSchemaVersion(this.#pool, this.#schema)
      }
      throw error
    })
    const [row] = rows
    if (!row) {
      await this.#checkSettings()
      return undefined
    }
    const [token, position, open, starts, unclean, from, to] = row as string[]
    return {
      buckets: { from: Number(from), to: Number(to) },
      token: token!,
      state: resume(Number(position), readRanges(open!)),
      unclean: unclean === 't',
      starts: readStarts(starts!),
    }
  }

  #take(holder: string): Promise<(string | null)[][]> {
    return textRows(
      this.#pool,
      `WITH free AS MATERIALIZED (
         SELECT buckets, leased_by FROM ${this.#schema}.reader r
         WHERE name = $1 AND (leased_until IS NULL OR leased_until < clock_timestamp() OR leased_by = $2)
           AND ${schemaFits(this.#schema)}
           AND NOT EXISTS (
             SELECT FROM ${this.#schema}.reader o WHERE o.name = $1 AND o.leased_until > clock_timestamp()
               AND o.leased_by <> $2 AND o.settings IS DISTINCT FROM $4)
         ORDER BY leased_by IS NOT DISTINCT FROM $2 DESC, position LIMIT 1 FOR UPDATE SKIP LOCKED)
       UPDATE ${this.#schema}.reader r SET token = token + 1, leased_by = $2, seen_at = clock_timestamp(),
         leased_until = clock_timestamp() + $3::float8 * interval '1 ms', settings = $4
       FROM free WHERE r.name = $1 AND r.buckets = free.buckets
       RETURNING token, position, open, starts, free.leased_by IS NOT NULL AND free.leased_by <> $2,
         lower(r.buckets), upper(r.buckets)`,
      [this.name, holder, this.#leaseMs, this.#settings],
    )
  }

  /** Two relays that disagree would take turns in doing what the other must not. */
  async #checkSettings(): Promise<void> {
    if (this.#settings === null) return
    const [row] = await textRows(
      this.#pool,
      `SELECT settings FROM ${this.#schema}.reader
       WHERE name = $1 AND leased_until > clock_timestamp() AND settings IS DISTINCT FROM $2 LIMIT 1`,
      [this.name, this.#settings],
    )
    if (row?.[0] == null) return
    throw new ConfigError(
      `${this.name} runs elsewhere with other settings, ${row[0]}, than this one has, ${this.#settings}: this one waits until that one stops; give both the same`,
    )
  }

  /**
   * Stores where the reader stands, moves and drops rows of `outbox_retry`, and renews the lease: all or nothing.
   * `undefined` for nothing, as the lease is another's.
   */
  async write(
    { buckets, token }: Hold,
    state: LogPosition,
    unsettled: Iterable<number>,
    moves: readonly Move[] = [],
    dropped: readonly number[] = [],
    /** What is `undefined` stays as it is stored. */
    { trouble, starts }: ReaderNotes = {},
  ): Promise<Held | undefined> {
    const schema = this.#schema
    const open = `{${openRanges(state, unsettled).map(([low, high]) => `[${low},${high}]`)}}`
    const values: unknown[] = [this.name, token, state.position, open, this.#leaseMs, buckets.from]
    const counted = starts ? `starts = $${values.push(JSON.stringify(Object.fromEntries(starts)))}::jsonb, ` : ''
    const service = () => `$${values.push(this.#service)}::text`
    let told = counted
    if (trouble !== undefined) {
      const text = `$${values.push(trouble?.replaceAll('\0', '').slice(0, MOST_TROUBLE) ?? null)}::text`
      told += `trouble = ${text}, trouble_since = CASE
        WHEN ${text} IS NOT NULL THEN coalesce(trouble_since, clock_timestamp()) END,`
    }
    const parts = [
      `fence AS (
        UPDATE ${schema}.reader SET position = $3, open = $4::int8multirange, seen_at = clock_timestamp(), ${told}
          leased_until = clock_timestamp() + $5::float8 * interval '1 ms'
        WHERE name = $1 AND lower(buckets) = $6 AND token = $2 AND ${schemaFits(schema)}
        RETURNING name, coalesce(wanted_until > clock_timestamp(), false) AS wanted)`,
    ]
    const movedRows = (rows: readonly Move[]) => {
      const at = values.length
      values.push(
        rows.map(({ id }) => id),
        rows.map(({ attempts }) => attempts),
        rows.map(({ delayMs }) => delayMs ?? null),
        rows.map(({ error }) => error.replaceAll('\0', '')),
        rows.map(({ headers }) => headers ?? null),
        rows.map(({ parked }) => parked),
      )
      const types = ['int8', 'int4', 'float8', 'text', 'text', 'bool']
      return `unnest(${types.map((type, index) => `$${at + index + 1}::${type}[]`).join(', ')})
        AS moved(id, attempts, delay_ms, error, headers, parked)`
    }
    const due = `clock_timestamp() + moved.delay_ms * interval '1 ms'`
    const parkedAt = 'CASE WHEN moved.parked THEN clock_timestamp() END'
    const fromLog = moves.filter(({ fromRetry }) => !fromRetry)
    if (fromLog.length > 0) {
      const columns = COLUMN_NAMES.replace('headers', 'coalesce(moved.headers, o.headers)').replace(
        'attributes',
        'o.attributes',
      )
      parts.push(`moved AS (
        INSERT INTO ${schema}.outbox_retry
          (reader, id, ${COLUMN_NAMES}, created_at, service, attempts, next_attempt_at, last_error, parked_at)
        SELECT fence.name, o.id, ${columns}, o.created_at, ${service()}, moved.attempts, ${due}, moved.error, ${parkedAt}
        FROM fence, ${movedRows(fromLog)} JOIN ${schema}.outbox o ON o.id = moved.id
        ON CONFLICT (reader, id) DO UPDATE SET attempts = excluded.attempts, headers = excluded.headers,
          next_attempt_at = excluded.next_attempt_at, last_error = excluded.last_error, parked_at = excluded.parked_at)`)
    }
    const fromRetry = moves.filter((move) => move.fromRetry)
    if (fromRetry.length > 0) {
      parts.push(`changed AS (
        UPDATE ${schema}.outbox_retry r SET attempts = moved.attempts, headers = coalesce(moved.headers, r.headers),
          next_attempt_at = ${due}, last_error = moved.error, parked_at = ${parkedAt}
        FROM fence, ${movedRows(fromRetry)} WHERE r.reader = fence.name AND r.id = moved.id)`)
    }
    if (dropped.length > 0) {
      values.push(dropped)
      parts.push(`dropped AS (
        DELETE FROM ${schema}.outbox_retry r USING fence WHERE r.reader = fence.name AND r.id = ANY ($${values.length}::int8[]))`)
    }
    const free = this.ranges?.freePosition(buckets) ?? 'NULL'
    const text = `WITH ${parts.join(', ')} SELECT wanted, ${free} FROM fence`
    const [held] = await this.#names.textRows(this.#pool, text, values)
    return held && { wanted: held[0] === 't', free: held[1] == null ? undefined : Number(held[1]) }
  }

  /** Gives the lease back, so that another may take it at once. */
  async release({ buckets, token }: Hold): Promise<void> {
    await textRows(
      this.#pool,
      `UPDATE ${this.#schema}.reader SET leased_by = NULL, leased_until = NULL
       WHERE name = $1 AND lower(buckets) = $3 AND token = $2`,
      [this.name, token, buckets.from],
    )
  }

  /** Ends the reader for good: nothing is kept for it any more but what it parked. */
  async remove(): Promise<void> {
    await textRows(
      this.#pool,
      `WITH gone AS (DELETE FROM ${this.#schema}.reader WHERE name = $1)
       DELETE FROM ${this.#schema}.outbox_retry WHERE reader = $1 AND parked_at IS NULL`,
      [this.name],
    )
  }
}
