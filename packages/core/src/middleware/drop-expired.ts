import type { Clock } from '../ports.ts'
import type { Settlement } from '../transport.ts'
import type { Step } from './step.ts'

const ACK: Settlement = Object.freeze({ outcome: 'ack' })

/** A message past its time is not handled: acked and counted (R24). */
export function dropExpired(clock: Clock, onDropped: () => void): Step {
  return (work, next) => {
    const { expiresAtMs } = work.message
    if (expiresAtMs === undefined || expiresAtMs > clock.nowMs()) return next(work)
    work.fate = 'expired'
    onDropped()
    return ACK
  }
}
