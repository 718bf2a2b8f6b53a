import type { Outgoing } from '../outgoing.ts'
import type { WireMessage } from '../wire-message.ts'

/** Publishes a reply; one whose requester is gone is done with. */
export async function sendReply(reply: WireMessage, outgoing: Outgoing): Promise<void> {
  try {
    await outgoing.publish(reply, {})
  } catch (error) {
    const fault = (error as { fault?: { scope?: unknown; retryable?: unknown } } | null)?.fault
    if (fault?.scope !== 'message' || fault.retryable !== false) throw error
  }
}
