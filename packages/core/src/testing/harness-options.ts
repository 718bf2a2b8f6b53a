import type { BusOptions } from '../bus.ts'
import { ConfigError } from '../errors.ts'
import type { MemoryOptions } from '../memory/index.ts'

export interface HarnessOptions extends Partial<Omit<BusOptions, 'transport' | 'ports'>> {
  /** How long an assertion waits in real time before it fails, in milliseconds. @default 2_000 */
  readonly timeoutMs?: number | undefined
  /** Where the clock stands at first, in milliseconds since the epoch. @default 1_700_000_000_000 */
  readonly startMs?: number | undefined
  /** Bounds of the memory transport. */
  readonly memory?: Omit<MemoryOptions, 'ports'> | undefined
}

export const HARNESS_DEFAULTS = Object.freeze({ timeoutMs: 2_000, startMs: 1_700_000_000_000, source: '/test' })

/** @throws {ConfigError} for a time-out that is none */
export function resolveHarnessOptions(options: HarnessOptions) {
  const { timeoutMs = HARNESS_DEFAULTS.timeoutMs, startMs = HARNESS_DEFAULTS.startMs, memory, ...bus } = options
  if (!(timeoutMs > 0 && timeoutMs <= 600_000)) {
    throw new ConfigError(`timeoutMs of the harness is ${timeoutMs}: give milliseconds from 1 to 600000`)
  }
  if (!Number.isFinite(startMs)) throw new ConfigError(`startMs of the harness is ${startMs}: give milliseconds`)
  return {
    timeoutMs,
    startMs,
    memoryOptions: memory,
    busOptions: { ...bus, source: bus.source ?? HARNESS_DEFAULTS.source },
  }
}
