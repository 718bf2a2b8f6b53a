import { setTimeout as delay } from 'node:timers/promises'
import { connectError } from './fault.ts'

export interface ConnectAttempts {
  /** What is being made, for the error. */
  readonly what: string
  /** No new attempt begins after this time. */
  readonly timeoutMs: number
  readonly isOver: () => boolean
  readonly work: () => Promise<void>
}

const PAUSE_MS = 100

/**
 * Tries again what fails as brokers do that are away or change leaders; what a setting is to blame for fails at once.
 * @throws {MessagingError} never the client's own error, which is its cause
 */
export async function untilConnected({ what, timeoutMs, isOver, work }: ConnectAttempts): Promise<void> {
  const endMs = performance.now() + timeoutMs
  for (;;) {
    try {
      return await work()
    } catch (cause) {
      const error = connectError(what, cause)
      if (!error.retryable || performance.now() > endMs || isOver()) throw error
      await delay(PAUSE_MS)
    }
  }
}
