import pRetry from 'p-retry'
import type { Ports } from '../ports.ts'
import { reasonOf, type RetryDecision, type RetryPolicy } from '../retry.ts'
import type { Settlement } from '../transport.ts'
import type { Work } from '../work.ts'
import type { Next, Step } from './middleware.ts'

/** What the retry step needs of the service it works for. */
export interface RetryHost {
  readonly policy: RetryPolicy
  readonly ports: Ports
  /** Whether a message can be requeued: the carrier does it, and the message has no place in an order to lose. */
  canRequeue(work: Work): boolean
  /** How long a message may be held open to be tried again in place. */
  readonly maxInPlaceMs: number
  /** Room among those that are held open; false when half of the window is. */
  tryHold(work: Work): boolean
  endHold(work: Work): void
  /** Waits without taking a handler's place; rejects when the delivery is taken back. */
  backOff(work: Work, delayMs: number): Promise<void>
  /** Stops the line, and says how long this message waits in place, or that it is to be released. */
  stopTheLine(reason: string): 'release' | { readonly waitMs: number }
  requeue(work: Work, delayMs: number, reason: string): Settlement
  deadLetter(work: Work, reason: string): Promise<Settlement>
  onFailure(work: Work, error: unknown): void
}

type Plan =
  | { readonly do: 'again'; readonly inMs: number; readonly hold: boolean }
  | { readonly do: 'release' }
  | { readonly do: 'requeue'; readonly inMs: number }
  | { readonly do: 'deadLetter'; readonly reason: string }

/** Carries whatever was thrown through p-retry, which would judge a TypeError or a thrown string by itself. */
class Failure extends Error {}

const RELEASE: Settlement = Object.freeze({ outcome: 'release' })

/** The first try runs bare; only after a failure does p-retry count, and the policy decides. */
export function retrying(host: RetryHost): Step {
  return async (work, next) => {
    try {
      return await next(work)
    } catch (error) {
      return await again(host, work, next, error)
    }
  }
}

async function again(host: RetryHost, work: Work, next: Next, first: unknown): Promise<Settlement> {
  let plan = { do: 'release' } as Plan
  let last = first
  let takenBack = false
  const sinceMs = host.ports.clock.nowMs()
  try {
    return await pRetry(
      async (attempt) => {
        // p-retry counts from the failure that is already known
        if (attempt === 1) throw new Failure()
        try {
          return await next(work)
        } catch (error) {
          last = error
          throw new Failure()
        }
      },
      {
        retries: Infinity,
        minTimeout: 0,
        async onFailedAttempt() {
          work.failures++
          work.firstFailedAtMs ??= host.ports.clock.nowMs()
          host.onFailure(work, last)
          plan = planOf(host, work, last, sinceMs)
          work.timedOut = false
          if (plan.do !== 'again') return
          takenBack = await wait(host, work, plan)
        },
        shouldRetry: () => plan.do === 'again' && !takenBack,
      },
    )
  } catch (error) {
    if (!(error instanceof Failure)) throw error
  }
  if (takenBack || work.delivery.recalled.aborted) plan = plan.do === 'again' ? { do: 'release' } : plan
  if (plan.do === 'requeue') return host.requeue(work, plan.inMs, reasonOf(last))
  if (plan.do === 'deadLetter') return await host.deadLetter(work, plan.reason)
  return RELEASE
}

/** Whether the delivery was taken back meanwhile. */
async function wait(host: RetryHost, work: Work, plan: Extract<Plan, { readonly do: 'again' }>): Promise<boolean> {
  try {
    await host.backOff(work, plan.inMs)
    return false
  } catch {
    return true
  } finally {
    if (plan.hold) host.endHold(work)
  }
}

function planOf(host: RetryHost, work: Work, error: unknown, sinceMs: number): Plan {
  const keyed = work.message.orderingKey !== undefined
  const { tries, timedOut } = work
  const { rounds } = work.notes
  const context = { tries, rounds, keyed, timedOut, random: host.ports.random }
  let decision: RetryDecision
  try {
    decision = host.policy(error, work.attempt - 1, context)
  } catch (broken) {
    decision = { deadLetter: `the retry policy threw ${reasonOf(broken)}` }
  }
  if ('deadLetter' in decision) return { do: 'deadLetter', reason: decision.deadLetter }
  if (work.delivery.signal.aborted || work.delivery.recalled.aborted) return { do: 'release' }
  if ('stopTheLine' in decision) {
    const told = host.stopTheLine(reasonOf(error))
    return told === 'release' ? { do: 'release' } : { do: 'again', inMs: told.waitMs, hold: false }
  }
  const elapsedMs = host.ports.clock.nowMs() - sinceMs
  if ('retryInMs' in decision) {
    work.tries++
    if (elapsedMs + decision.retryInMs <= host.maxInPlaceMs)
      return { do: 'again', inMs: decision.retryInMs, hold: false }
    return { do: 'deadLetter', reason: reasonOf(error) }
  }
  if (host.canRequeue(work)) return { do: 'requeue', inMs: decision.requeueInMs }
  // the carrier can not bring it again later, so it is held open, within bounds of time and number
  if (elapsedMs + decision.requeueInMs > host.maxInPlaceMs || !host.tryHold(work)) {
    return { do: 'deadLetter', reason: reasonOf(error) }
  }
  work.tries = 1
  work.notes = { ...work.notes, rounds: rounds + 1 }
  return { do: 'again', inMs: decision.requeueInMs, hold: true }
}
