import type { Settlement } from '@waybill/core'

const NOT_DONE: ReadonlySet<unknown> = new Set<Settlement['outcome']>(['release', 'requeue', 'deadLetter'])

/**
 * Whether a handler's transaction is taken back. What is no settlement counts as ack, as it does for core: an effect
 * rolled back under a message that core acks would be lost.
 */
export function rollsBack(given: unknown): given is Settlement {
  return NOT_DONE.has((given as Partial<Settlement> | null | undefined)?.outcome)
}
