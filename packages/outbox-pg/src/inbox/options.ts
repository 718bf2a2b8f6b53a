import { ConfigError, type Context, type Telemetry } from '@waybill/core'
import type { Database, PgPool } from '../database.ts'
import { quoteSchema } from '../schema-name.ts'

export interface InboxOptions<Db> {
  /** A `pg.Pool`, or `fromKysely(db)`. Handlers get its transactions. */
  readonly db: Db
  /** How long a handled message is remembered, in milliseconds. Longer than any redelivery. @default 604_800_000 (7 days) */
  readonly retentionMs?: number | undefined
  /** @default 'waybill' */
  readonly schema?: string | undefined
  /**
   * Whether the statement that remembers a message is prepared by name, once for each connection of pg. Say `false` where
   * the outbox has to: behind a pooler that shares connections by transaction and doesn't carry prepared statements over.
   * @default true
   * @see https://www.pgbouncer.org/config.html#max_prepared_statements
   */
  readonly prepare?: boolean | undefined
  /** Counts duplicates: `openTelemetry()` of `@waybill/core/opentelemetry`. @default none */
  readonly telemetry?: Telemetry | undefined
}

export interface OnceOptions<Data> {
  /** Under which a second message is the same. @default the definition's dedupe key, else the message id */
  readonly key?: ((data: Data, context: Context) => string) | undefined
  /** How long the key counts, in milliseconds, at most the retention. @default the retention */
  readonly windowMs?: number | undefined
  /** Tells two handlers of one type in one service apart. @default the message's type */
  readonly name?: string | undefined
  /** How long to wait for another instance that handles the same message right now, in milliseconds. @default 5_000 */
  readonly lockTimeoutMs?: number | undefined
}

export const INBOX_DEFAULTS = Object.freeze({
  retentionMs: 604_800_000,
  lockTimeoutMs: 5_000,
  sweepEveryMs: 600_000,
  sweepBatch: 10_000,
})

export function resolveInboxOptions<Trx>(options: InboxOptions<Database<Trx> | PgPool>) {
  const { retentionMs = INBOX_DEFAULTS.retentionMs, prepare = true } = options
  if (!(retentionMs > 0)) throw new ConfigError(`retentionMs of the inbox is ${retentionMs}: give milliseconds above 0`)
  return Object.freeze({ retentionMs, prepare, quoted: quoteSchema(options.schema) })
}

export function resolveOnceOptions<Data>(options: OnceOptions<Data>, retentionMs: number) {
  const { windowMs, lockTimeoutMs = INBOX_DEFAULTS.lockTimeoutMs } = options
  if (windowMs !== undefined && !(windowMs > 0 && windowMs <= retentionMs)) {
    throw new ConfigError(
      `windowMs of inbox.once is ${windowMs}: give milliseconds above 0, at most retentionMs ${retentionMs}`,
    )
  }
  if (!(lockTimeoutMs >= 1 && lockTimeoutMs <= 3_600_000)) {
    throw new ConfigError(`lockTimeoutMs of inbox.once is ${lockTimeoutMs}: give milliseconds from 1 to 3600000`)
  }
  return Object.freeze({ ...options, lockTimeoutMs })
}
