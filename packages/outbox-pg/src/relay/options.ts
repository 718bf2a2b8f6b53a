import { ConfigError, guardedLogger, type Logger, type Publisher, type Telemetry } from '@waybill/core'
import type { PgPool } from '../database.ts'
import type { Outbox } from '../outbox/outbox.ts'
import { DEFAULT_SCHEMA, quoteSchema } from '../schema-name.ts'

export interface RelayOptions {
  /** Stays the user's: the relay never ends it. Best not the pool that serves requests. */
  readonly pool: PgPool
  /** By the names that rows carry in `transport`. They belong to the relay, which disposes them; `shared(…)` keeps one open. */
  readonly transports: Readonly<Record<string, Publisher & Partial<AsyncDisposable>>>
  /** An outbox in this process: its commits wake the relay at once. */
  readonly outbox?: Pick<Outbox<never>, 'onCommit' | 'schema'> | undefined
  /** A direct connection string (not through a transaction pooler) for LISTEN. @default the relay polls */
  readonly listen?: string | undefined
  /** Longest wait between looks while nothing comes, in milliseconds. @default 1_000 */
  readonly pollMs?: number | undefined
  /** Rows per read. @default 1_000 */
  readonly batch?: number | undefined
  /** Messages handed to a carrier and not confirmed, per carrier. @default 1_000 */
  readonly window?: number | undefined
  /** How long a relay that stopped answering keeps its place, in milliseconds. @default 10_000 */
  readonly leaseMs?: number | undefined
  /** What a parked message does to later ones of its key: they wait for it, or go on. @default 'block-key' */
  readonly onParked?: 'block-key' | 'skip' | undefined
  /** Waits between tries of a message that its carrier refuses; after the last it is parked. @default 1 s, 10 s, 1 min, 10 min */
  readonly retryMs?: readonly number[] | undefined
  /** How long rows that every reader has passed are kept, in milliseconds. @default 0 */
  readonly retentionMs?: number | undefined
  /** @default 'waybill' */
  readonly schema?: string | undefined
  /** @default silent */
  readonly logger?: Logger | undefined
  /** What waits in the outbox, and what was parked: `openTelemetry()` of `@waybill/core/opentelemetry`. @default none */
  readonly telemetry?: Telemetry | undefined
}

export const RELAY_DEFAULTS = Object.freeze({
  pollMs: 1_000,
  batch: 1_000,
  window: 1_000,
  leaseMs: 10_000,
  onParked: 'block-key' as const,
  retryMs: Object.freeze([1_000, 10_000, 60_000, 600_000]) as readonly number[],
  retentionMs: 0,
  drainTimeoutMs: 10_000,
})

/** How long a refused destination may recover before its rows leave the log, and between probes after that. */
export const DESTINATION_WAIT_MS = 10_000

export function resolveRelayOptions(options: RelayOptions) {
  const { outbox, schema = outbox?.schema ?? DEFAULT_SCHEMA, transports } = options
  const resolved = {
    pollMs: options.pollMs ?? RELAY_DEFAULTS.pollMs,
    batch: options.batch ?? RELAY_DEFAULTS.batch,
    window: options.window ?? RELAY_DEFAULTS.window,
    leaseMs: options.leaseMs ?? RELAY_DEFAULTS.leaseMs,
    retentionMs: options.retentionMs ?? RELAY_DEFAULTS.retentionMs,
  }
  const bounds = {
    pollMs: [1, 60_000],
    batch: [1, 10_000],
    window: [1, 10_000],
    leaseMs: [500, 3_600_000],
    retentionMs: [0, 1e14],
  }
  for (const [field, [low, high]] of Object.entries(bounds) as [keyof typeof bounds, [number, number]][]) {
    if (!(resolved[field] >= low && resolved[field] <= high)) {
      throw new ConfigError(`${field} of the relay is ${resolved[field]}: give a number from ${low} to ${high}`)
    }
  }
  const retryMs = options.retryMs ?? RELAY_DEFAULTS.retryMs
  if (retryMs.some((waitMs) => !(waitMs >= 0 && Number.isFinite(waitMs)))) {
    throw new ConfigError('retryMs of the relay holds a wait that is not a number of milliseconds from 0')
  }
  const names = Object.keys(transports)
  if (names.length === 0) throw new ConfigError('transports of the relay is empty: give at least one, such as { amqp }')
  if (names.includes('postgres')) {
    throw new ConfigError(
      `transports of the relay has "postgres": services read the log themselves, by postgres({ pool })`,
    )
  }
  if (outbox && outbox.schema !== schema) {
    throw new ConfigError(
      `the relay is given schema "${schema}" and an outbox in "${outbox.schema}": they share one log`,
    )
  }
  return Object.freeze({
    ...resolved,
    retryMs,
    onParked: options.onParked ?? RELAY_DEFAULTS.onParked,
    logger: guardedLogger(options.logger),
    telemetry: options.telemetry,
    pool: options.pool,
    listen: options.listen,
    transports,
    outbox,
    schema,
    quoted: quoteSchema(schema),
  })
}

export type ResolvedRelayOptions = ReturnType<typeof resolveRelayOptions>
