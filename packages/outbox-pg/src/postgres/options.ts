import { ConfigError } from '@waybill/core'
import type { PgPool } from '../database.ts'
import type { Outbox } from '../outbox/outbox.ts'
import { DEFAULT_SCHEMA, quoteSchema } from '../schema-name.ts'

export interface PostgresOptions {
  /** Stays the user's: the transport never ends it. Give it at least 4 connections. */
  readonly pool: PgPool
  /** An outbox on the same log in this process: its commits wake the readers here at once. */
  readonly outbox?: Pick<Outbox<never>, 'onCommit' | 'schema' | 'transport'> | undefined
  /** A direct connection string (not through a transaction pooler) for LISTEN. @default readers poll */
  readonly listen?: string | undefined
  /** How long rows that every reader has passed are kept for replay, in milliseconds. @default 0 */
  readonly retentionMs?: number | undefined
  /** @default 'waybill' */
  readonly schema?: string | undefined
  /** How long a reader that stopped answering keeps its place, in milliseconds. @default 10_000 */
  readonly leaseMs?: number | undefined
  /** Longest wait between looks while nothing comes, in milliseconds. @default 1_000 with `listen`, else 200 */
  readonly pollMs?: number | undefined
  /** How long an insert may take, in milliseconds. @default 10_000 */
  readonly publishTimeoutMs?: number | undefined
}

export const POSTGRES_DEFAULTS = Object.freeze({
  retentionMs: 0,
  leaseMs: 10_000,
  pollMs: 200,
  pollWithListenMs: 1_000,
  publishTimeoutMs: 10_000,
  batch: 500,
  maxBodyBytes: 16 * 1_048_576,
  maxHeaderBytes: 262_144,
  maxPendingMessages: 10_000,
  maxPendingBytes: 64 * 1_048_576,
})

export function resolvePostgresOptions(options: PostgresOptions) {
  const { outbox, schema = outbox?.schema ?? DEFAULT_SCHEMA, listen } = options
  const resolved = {
    ...POSTGRES_DEFAULTS,
    retentionMs: options.retentionMs ?? POSTGRES_DEFAULTS.retentionMs,
    leaseMs: options.leaseMs ?? POSTGRES_DEFAULTS.leaseMs,
    pollMs: options.pollMs ?? (listen === undefined ? POSTGRES_DEFAULTS.pollMs : POSTGRES_DEFAULTS.pollWithListenMs),
    publishTimeoutMs: options.publishTimeoutMs ?? POSTGRES_DEFAULTS.publishTimeoutMs,
  }
  const bounds = {
    retentionMs: [0, 1e14],
    leaseMs: [500, 3_600_000],
    pollMs: [1, 60_000],
    publishTimeoutMs: [1, 3_600_000],
  }
  for (const [field, [low, high]] of Object.entries(bounds) as [keyof typeof bounds, [number, number]][]) {
    if (!(resolved[field] >= low && resolved[field] <= high)) {
      throw new ConfigError(`${field} of postgres() is ${resolved[field]}: give milliseconds from ${low} to ${high}`)
    }
  }
  if (outbox && outbox.schema !== schema) {
    throw new ConfigError(
      `postgres() is given schema "${schema}" and an outbox in "${outbox.schema}": they share one log`,
    )
  }
  if (outbox && outbox.transport === undefined) {
    throw new ConfigError(
      `the outbox given to postgres() names no carrier, so its messages would wait for a relay: createOutbox({ transport: 'postgres' })`,
    )
  }
  return Object.freeze({ ...resolved, pool: options.pool, outbox, listen, schema, quoted: quoteSchema(schema) })
}

export type ResolvedPostgresOptions = ReturnType<typeof resolvePostgresOptions>
