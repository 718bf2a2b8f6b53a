import type { BackOffs } from './back-offs.ts'
import type { IntakeContext } from './intake-context.ts'
import type { Setbacks } from './setbacks.ts'
import type { Settlement } from './transport.ts'
import type { Work } from './work.ts'

const RELEASE: Settlement = Object.freeze({ outcome: 'release' })
const GIVEN_UP_AFTER_MS = 600_000
const STEP_MS = 10_000

/** What becomes of a type without a route: a rolling deploy may be under way, so it waits for whoever knows it, uncounted, and is then given up on (R9). */
export async function unknownType(
  work: Work,
  context: IntakeContext,
  setbacks: Setbacks,
  backOffs: BackOffs,
): Promise<Settlement> {
  const { bus, options } = context
  bus.counters.unknownTypes++
  const nowMs = bus.ports.clock.nowMs()
  const sinceMs = work.notes.unknownSinceMs ?? nowMs
  const reason = `unknown type "${work.message.type}": no route of "${options.service}" handles it`
  if (work.notes.unknownSinceMs === undefined) {
    const { id, type } = work.message
    bus.logger.warn({ service: options.service, id, type }, 'message of an unknown type waits for who knows it')
  }
  work.notes = { ...work.notes, unknownSinceMs: sinceMs }
  if (nowMs - sinceMs < GIVEN_UP_AFTER_MS) {
    if (setbacks.canRequeue(work)) return setbacks.requeueUncounted(work, STEP_MS, reason)
    if (backOffs.tryHold(work)) {
      try {
        await backOffs.wait(work, Math.min(GIVEN_UP_AFTER_MS, context.maxInPlaceMs))
      } catch {
        return RELEASE
      } finally {
        backOffs.endHold(work)
      }
    }
  }
  return await setbacks.deadLetter(work, reason)
}
