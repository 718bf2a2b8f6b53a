import { ConfigError, type Telemetry } from '@waybill/core'
import type { Database, PgPool } from '../database.ts'
import { DEFAULT_SCHEMA, quoteSchema } from '../schema-name.ts'

export interface OutboxLimits {
  /** @default 1_048_576 (1 MiB) */
  readonly maxBodyBytes?: number | undefined
  /** Names and values of the headers together. @default 32_768 (32 KiB) */
  readonly maxHeaderBytes?: number | undefined
}

export interface OutboxOptions<Db> {
  /** A `pg.Pool`, or `fromKysely(db)`. */
  readonly db: Db
  /** CloudEvents `source` of all that this outbox writes: a URI reference such as `/rentals`. */
  readonly source: string
  /** The carrier of definitions that name none. Needed where several are served, or PostgreSQL itself carries: `'postgres'`. */
  readonly transport?: string | undefined
  readonly limits?: OutboxLimits | undefined
  /** @default 'waybill' */
  readonly schema?: string | undefined
  /** Tells readers in other processes after each commit, by a coalesced NOTIFY over this pool. @default they poll */
  readonly wake?: PgPool | undefined
  /** `transaction` takes an advisory lock per ordering key before it writes, for keys that no row guards. @default false */
  readonly keyLock?: boolean | undefined
  /**
   * Whether the inserts are prepared by name, once for each connection of pg. Say `false` behind a pooler that shares
   * connections by transaction and doesn't carry prepared statements over: PgBouncer before 1.21, or with
   * `max_prepared_statements = 0`.
   * @default true
   * @see https://www.pgbouncer.org/config.html#max_prepared_statements
   */
  readonly prepare?: boolean | undefined
  /** How long a `dedupeKey` given on publish keeps a second message out, in milliseconds. @default 604_800_000 (7 days) */
  readonly dedupeMs?: number | undefined
  /** Spans and metrics: `openTelemetry()` of `@waybill/core/opentelemetry`. @default none */
  readonly telemetry?: Telemetry | undefined
}

export const OUTBOX_DEFAULTS = Object.freeze({
  maxBodyBytes: 1_048_576,
  maxHeaderBytes: 32_768,
  dedupeMs: 604_800_000,
})

export function resolveOutboxOptions<Trx>(options: OutboxOptions<Database<Trx> | PgPool>) {
  const { limits = {}, schema = DEFAULT_SCHEMA, keyLock = false, prepare = true } = options
  const numbers = {
    maxBodyBytes: limits.maxBodyBytes ?? OUTBOX_DEFAULTS.maxBodyBytes,
    maxHeaderBytes: limits.maxHeaderBytes ?? OUTBOX_DEFAULTS.maxHeaderBytes,
    dedupeMs: options.dedupeMs ?? OUTBOX_DEFAULTS.dedupeMs,
  }
  if (typeof options.source !== 'string' || options.source === '') {
    throw new ConfigError(
      'source of the outbox is missing: give a URI reference that names the sender, such as "/rentals"',
    )
  }
  for (const [field, value] of Object.entries(numbers)) {
    if (!(value > 0)) throw new ConfigError(`${field} of the outbox is ${value}: give a number above 0`)
  }
  return Object.freeze({ ...options, ...numbers, quoted: quoteSchema(schema), schema, keyLock, prepare })
}
