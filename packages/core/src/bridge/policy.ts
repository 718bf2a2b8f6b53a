import { reasonOf, type RetryPolicy } from '../retry.ts'

/**
 * Judges a failed publish by its scope. The far side is away, or does not answer: the line stops and nothing is counted
 * against the message. The message itself is refused: for good it is a dead letter, else `policy` decides.
 */
export function bridgePolicy(policy: RetryPolicy): RetryPolicy {
  return (error, attempt, context) => {
    // the bridge's handler does nothing but wait for the far side
    if (context.timedOut) return { stopTheLine: true }
    // by shape: the error may come from another installed copy
    const fault = (error as { fault?: { scope?: unknown; retryable?: unknown } } | null | undefined)?.fault
    if (fault?.scope === 'transport' || fault?.scope === 'destination') return { stopTheLine: true }
    if (fault?.scope === 'message' && fault.retryable === false) return { deadLetter: reasonOf(error) }
    return policy(error, attempt, context)
  }
}
