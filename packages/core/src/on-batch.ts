import type { CommandDefinition, EventDefinition } from './definition.ts'
import { ConfigError } from './errors.ts'
import type { BatchHandler, Route } from './handler.ts'

export interface BatchOptions {
  /** The most messages of one call. @default 50 */
  readonly size?: number | undefined
  /** How long the first message waits for others. @default 20 (milliseconds) */
  readonly waitMs?: number | undefined
}

export const BATCH_DEFAULTS = Object.freeze({ size: 50, waitMs: 20 })

/**
 * Handles the messages of an event or command in batches. A batch takes one place of the service's concurrency.
 * @example onBatch(RentalBooked, (rentals) => insertAll(rentals), { size: 100 })
 * @throws {ConfigError} for a bound out of range
 */
export function onBatch<D extends EventDefinition | CommandDefinition>(
  definition: D,
  handler: BatchHandler<D>,
  options: BatchOptions = {},
): Route {
  const { size = BATCH_DEFAULTS.size, waitMs = BATCH_DEFAULTS.waitMs } = options
  if (!Number.isSafeInteger(size) || size < 1 || size > 5_000) {
    throw new ConfigError(`size of a batch of "${definition.wireType}" is ${size}: give a whole number from 1 to 5000`)
  }
  if (!(waitMs >= 0 && waitMs <= 60_000)) {
    throw new ConfigError(
      `waitMs of a batch of "${definition.wireType}" is ${waitMs}: give milliseconds from 0 to a minute`,
    )
  }
  return Object.freeze({ kind: 'batch', definition, handler: handler as BatchHandler<never>, size, waitMs })
}
