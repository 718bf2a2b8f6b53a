import { setTimeout as pause } from 'node:timers/promises'

export interface Waiting {
  readonly what: string
  readonly timeoutMs: number
  /** Ends the wait at once, with this as the reason. */
  readonly hopeless?: () => string | undefined
}

/** Tries until it succeeds; rejects after the deadline with the last failure as cause. */
export async function waitUntil(attempt: () => Promise<void>, { what, timeoutMs, hopeless }: Waiting): Promise<void> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    try {
      return await attempt()
    } catch (cause) {
      const reason = hopeless?.()
      if (reason !== undefined) throw new Error(`${what}: ${reason}`, { cause })
      if (Date.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`, { cause })
      await pause(100)
    }
  }
}
