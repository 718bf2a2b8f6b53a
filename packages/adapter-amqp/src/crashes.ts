import type { AmqpMessage } from './client.ts'
import { returnsOf } from './wire.ts'

/** From so many redeliveries on a message may be what ends its processes, so it is opened with nothing beside it. */
const SUSPICIOUS_COUNT = 3
/** A lost connection looks like a crash to the broker, so one of them convicts nobody. */
const CONVICTING_COUNT = 2

/**
 * Whether a message of a service's queue was open in too many channels that ended. The broker counts whatever such a
 * channel held, also what was never begun, so this blames nobody; failures are no part of it, as each makes a new copy.
 */
export function isSuspect(raw: AmqpMessage): boolean {
  return returnsOf(raw) >= SUSPICIOUS_COUNT
}

/** Crashes of a message that was taken out of the queue of suspects, where each one is open alone; told once certain. */
export function crashesOf(raw: AmqpMessage): number | undefined {
  const alone = returnsOf(raw)
  return alone < CONVICTING_COUNT ? undefined : SUSPICIOUS_COUNT + alone
}
