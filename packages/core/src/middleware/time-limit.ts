import { TimeoutError } from '../errors.ts'
import type { Timers } from '../ports.ts'
import type { Settlement } from '../transport.ts'
import type { Work } from '../work.ts'
import type { Outcome, Step } from './step.ts'

/** How long a handler may go on after its signal aborted before its try counts as over all the same. */
const GRACE_MS = 5_000

/** Aborts the handler's signal after `timeoutMs`, and lets the try fail once the handler has ended, or after a grace. */
export function timeLimit(timeoutMs: number, timers: Timers): Step {
  return (work, next) => {
    let outcome: Outcome
    try {
      outcome = next(work)
    } catch (error) {
      work.endTry()
      throw error
    }
    if (outcome instanceof Promise) return limited(work, outcome, timeoutMs, timers)
    work.endTry()
    return outcome
  }
}

function limited(work: Work, outcome: Promise<Settlement>, timeoutMs: number, timers: Timers): Promise<Settlement> {
  return new Promise((resolve, reject) => {
    let error: TimeoutError | undefined
    let over = false
    const timeOut = () => {
      const text = `handler of "${work.message.type}" not done within ${timeoutMs} ms: make it faster or raise handlerTimeoutMs`
      return new TimeoutError(text)
    }
    let cancel = timers.schedule(() => {
      error = timeOut()
      work.timedOut = true
      work.abort(error)
      work.batch?.timeOut(error)
      // a second run beside one that still goes on is what order must not see, so it gets time to end
      cancel = timers.schedule(() => {
        end()
        reject(error!)
      }, GRACE_MS)
    }, timeoutMs)
    const end = () => {
      cancel()
      // a late end belongs to no try any more
      if (!over) work.endTry()
      over = true
    }
    // what a handler returns after its abort says nothing about whether it did its work
    outcome.then(
      (settlement) => {
        end()
        // a batch has one time limit, whose end another of its messages may have seen first
        if (work.timedOut) error ??= timeOut()
        if (error === undefined) resolve(settlement)
        else reject(error)
      },
      (thrown: unknown) => {
        end()
        reject((error ?? thrown) as Error)
      },
    )
  })
}
