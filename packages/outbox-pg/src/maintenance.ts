import { textRows, type PgPool } from './database.ts'
import { COLUMN_NAMES } from './row.ts'

export interface MaintenanceOptions {
  readonly pool: PgPool
  /** Quoted. */
  readonly schema: string
  readonly retentionMs: number
  /** Messages whose time had come were written to the log. */
  readonly onScheduled: () => void
}

const TIDY_MS = 30_000
const SCHEDULED_MS = 500
const FAILED_MS = 5_000
/** A reader of one process that was not seen for so long has no process any more. */
const PROCESS_GONE_MS = 60_000
const BATCH = 500

/** Keeps the log in shape: partitions ahead and behind, messages whose time has come, readers whose process has gone. */
export class Maintenance {
  readonly #options: MaintenanceOptions
  #timer: NodeJS.Timeout | undefined
  #tidyAtMs = 0
  #running: Promise<void> | undefined
  #stopped = false
  #reason: string | undefined

  constructor(options: MaintenanceOptions) {
    this.#options = options
    this.#plan(Math.random() * SCHEDULED_MS)
  }

  /** Why the last round failed. */
  get reason(): string | undefined {
    return this.#reason
  }

  #plan(delayMs: number): void {
    if (this.#stopped) return
    this.#timer = setTimeout(() => {
      this.#running = this.#round().then((nextMs) => this.#plan(nextMs))
    }, delayMs)
    this.#timer.unref()
  }

  async #round(): Promise<number> {
    try {
      const nextMs = await this.#releaseScheduled()
      if (performance.now() >= this.#tidyAtMs) {
        await this.tidy()
        this.#tidyAtMs = performance.now() + TIDY_MS * (0.75 + Math.random() / 2)
      }
      this.#reason = undefined
      return nextMs
    } catch (error) {
      this.#reason = (error as Error).message
      // clients that were cut off together must not come back together
      return FAILED_MS * (0.5 + Math.random())
    }
  }

  /** Writes what is due to the log; returns when to look again. */
  async #releaseScheduled(): Promise<number> {
    const { pool, schema } = this.#options
    const [[moved, nextMs]] = (await textRows(
      pool,
      `WITH due AS (
        DELETE FROM ${schema}.outbox_scheduled WHERE id IN (
          SELECT id FROM ${schema}.outbox_scheduled WHERE deliver_at <= clock_timestamp()
          ORDER BY deliver_at LIMIT ${BATCH} FOR UPDATE SKIP LOCKED)
        RETURNING *),
      written AS (INSERT INTO ${schema}.outbox (${COLUMN_NAMES}) SELECT ${COLUMN_NAMES} FROM due ORDER BY deliver_at, id RETURNING 1)
      SELECT (SELECT count(*) FROM written),
        (SELECT extract(epoch FROM min(deliver_at) - clock_timestamp()) * 1000 FROM ${schema}.outbox_scheduled
          WHERE deliver_at > clock_timestamp())::float8`,
    )) as [[string, string | null]]
    if (Number(moved) > 0) this.#options.onScheduled()
    if (Number(moved) === BATCH) return 0
    return nextMs === null ? SCHEDULED_MS : Math.max(1, Math.min(SCHEDULED_MS, Number(nextMs)))
  }

  /** One round of tidying up. */
  async tidy(): Promise<void> {
    const { pool, schema, retentionMs } = this.#options
    await textRows(pool, `SELECT ${schema}.make_partitions()`)
    await textRows(
      pool,
      `WITH gone AS (
        DELETE FROM ${schema}.reader
        WHERE kind = 'process' AND seen_at < clock_timestamp() - $1::float8 * interval '1 ms' RETURNING name)
      DELETE FROM ${schema}.outbox_retry r USING gone WHERE r.reader = gone.name AND r.parked_at IS NULL`,
      [PROCESS_GONE_MS],
    )
    await textRows(
      pool,
      `DELETE FROM ${schema}.outbox_dedupe WHERE (type, key) IN (
        SELECT type, key FROM ${schema}.outbox_dedupe WHERE expires_at < clock_timestamp() LIMIT 5000)`,
    )
    await textRows(pool, `SELECT ${schema}.drop_partitions($1)`, [retentionMs])
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#running
  }
}
