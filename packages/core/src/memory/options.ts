import { ConfigError } from '../errors.ts'
import { systemPorts, type Ports } from '../ports.ts'

export interface MemoryOptions {
  /** Unsettled messages that each service or queue holds; a publish beyond waits. @default 100_000 */
  readonly maxQueued?: number | undefined
  /** Their bytes. @default 64 MiB */
  readonly maxQueuedBytes?: number | undefined
  /** Publishes that wait for room; one more is refused. @default 10_000 */
  readonly maxWaiting?: number | undefined
  /** How long a publish waits for room, in milliseconds, unless the call says so. @default 5_000 */
  readonly publishTimeoutMs?: number | undefined
  /** Messages that each topic keeps for services that start later or read again. @default 1_000 */
  readonly maxHistory?: number | undefined
  /** Dead letters kept; while it is full, deliveries given up on stay open. @default 10_000 */
  readonly maxParked?: number | undefined
  readonly ports?: Partial<Ports> | undefined
}

export const MEMORY_DEFAULTS = Object.freeze({
  maxQueued: 100_000,
  maxQueuedBytes: 64 * 1024 * 1024,
  maxWaiting: 10_000,
  publishTimeoutMs: 5_000,
  maxHistory: 1_000,
  maxParked: 10_000,
})

export type MemorySettings = { readonly [Field in keyof typeof MEMORY_DEFAULTS]: number } & { readonly ports: Ports }

/** @throws {ConfigError} for a bound that is no whole number from 1 (`maxHistory`: from 0) */
export function resolveMemoryOptions({ ports, ...given }: MemoryOptions): MemorySettings {
  const chosen = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const settings = { ...MEMORY_DEFAULTS, ...chosen, ports: { ...systemPorts, ...ports } }
  for (const field of Object.keys(MEMORY_DEFAULTS) as (keyof typeof MEMORY_DEFAULTS)[]) {
    const least = field === 'maxHistory' ? 0 : 1
    if (!Number.isSafeInteger(settings[field]) || settings[field] < least) {
      throw new ConfigError(`${field} is ${settings[field]}: give a whole number from ${least}`)
    }
  }
  return Object.freeze(settings)
}
