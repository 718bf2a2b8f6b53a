import pRetry from 'p-retry'
import type { Overload } from '../overload.ts'
import { SentAlone, type Batch } from '../batch.ts'
import type { BackOffs } from '../back-offs.ts'
import type { IntakeContext } from '../intake-context.ts'
import { steadyMs } from '../ports.ts'
import { reasonOf, type RetryDecision } from '../retry.ts'
import type { Setbacks } from '../setbacks.ts'
import type { Settlement } from '../transport.ts'
import type { Valve } from '../valve.ts'
import type { Work } from '../work.ts'
import type { Next, Outcome, Step } from './step.ts'

/** What the retry step works with. */
export interface RetryParts {
  readonly context: IntakeContext
  readonly valve: Valve
  readonly backOffs: BackOffs
  readonly setbacks: Setbacks
  readonly overload: Overload
}

type Plan =
  | { readonly do: 'again'; readonly inMs: number; readonly hold: boolean }
  | { readonly do: 'alone' }
  | { readonly do: 'release' }
  | { readonly do: 'requeue'; readonly inMs: number; readonly counted: boolean }
  | { readonly do: 'deadLetter'; readonly reason: string }

/** Carries whatever was thrown through p-retry, which would judge a TypeError or a thrown string by itself. */
class Failure extends Error {}

const RELEASE: Settlement = Object.freeze({ outcome: 'release' })

/** The first try runs bare; only after a failure does p-retry count, and the policy decides. */
export function retrying(parts: RetryParts): Step {
  return (work, next) => {
    let outcome: Outcome
    try {
      outcome = next(work)
    } catch (error) {
      return again(parts, work, next, error)
    }
    return outcome instanceof Promise ? outcome.catch((error) => again(parts, work, next, error)) : outcome
  }
}

async function again(parts: RetryParts, work: Work, next: Next, first: unknown): Promise<Settlement> {
  let plan = { do: 'release' } as Plan
  let last = first
  let takenBack = false
  const { clock } = parts.context.bus.ports
  const sinceMs = steadyMs(clock)
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
          if (last instanceof SentAlone) {
            plan = { do: 'alone' }
            takenBack = !(await work.batch!.alone(work))
            return
          }
          work.failures++
          work.lastError = last
          work.firstFailedAtMs ??= clock.nowMs()
          logFailure(parts.context, work, last)
          if (work.batch?.countsFor(work) !== false) parts.valve.line.failed(reasonOf(last))
          plan = planOf(parts, work, last, sinceMs)
          work.timedOut = false
          if (plan.do === 'alone') takenBack = !(await work.batch!.alone(work))
          if (plan.do !== 'again') return
          takenBack = await wait(parts, work, plan)
        },
        shouldRetry: () => (plan.do === 'again' || plan.do === 'alone') && !takenBack,
      },
    )
  } catch (error) {
    if (!(error instanceof Failure)) throw error
  }
  if (takenBack || work.delivery.recalled.aborted)
    plan = plan.do === 'again' || plan.do === 'alone' ? { do: 'release' } : plan
  if (plan.do === 'requeue') {
    const { setbacks } = parts
    if (plan.counted) return setbacks.requeue(work, plan.inMs, reasonOf(last))
    work.interrupted = true
    return setbacks.requeueUncounted(work, plan.inMs, reasonOf(last))
  }
  if (plan.do === 'deadLetter') return await parts.setbacks.deadLetter(work, plan.reason)
  return RELEASE
}

/** Whether the delivery was taken back meanwhile. */
async function wait(parts: RetryParts, work: Work, plan: Extract<Plan, { readonly do: 'again' }>): Promise<boolean> {
  try {
    await parts.backOffs.wait(work, plan.inMs)
    return false
  } catch {
    return true
  } finally {
    if (plan.hold) parts.backOffs.endHold(work)
  }
}

function planOf({ context, valve, backOffs, setbacks }: RetryParts, work: Work, error: unknown, sinceMs: number): Plan {
  const keyed = work.message.orderingKey !== undefined
  const { tries, timedOut } = work
  const { rounds } = work.notes
  const { clock, random } = context.bus.ports
  let decision: RetryDecision
  try {
    decision = context.options.retry(error, work.attempt - 1, { tries, rounds, keyed, timedOut, random })
  } catch (broken) {
    decision = { deadLetter: `the retry policy threw ${reasonOf(broken)}` }
  }
  if (work.batch !== undefined) {
    const plan = planInBatch(work.batch, work, decision, error, valve)
    if (plan !== undefined) return plan
  }
  if ('deadLetter' in decision) return { do: 'deadLetter', reason: decision.deadLetter }
  if (isTakenBack(work)) return { do: 'release' }
  if ('stopTheLine' in decision) {
    const told = valve.stopTheLine(reasonOf(error))
    return told === 'release' ? { do: 'release' } : { do: 'again', inMs: told.waitMs, hold: false }
  }
  if (valve.line.state === 'stopped') return planWhileStopped({ valve, setbacks }, work, decision, clock.nowMs())
  const elapsedMs = steadyMs(clock) - sinceMs
  if ('retryInMs' in decision) {
    work.tries++
    if (elapsedMs + decision.retryInMs <= context.maxInPlaceMs)
      return { do: 'again', inMs: decision.retryInMs, hold: false }
    return { do: 'deadLetter', reason: reasonOf(error) }
  }
  if (setbacks.canRequeue(work)) return { do: 'requeue', inMs: decision.requeueInMs, counted: true }
  // the carrier can not bring it again later, so it is held open, within bounds of time and number
  if (elapsedMs + decision.requeueInMs > context.maxInPlaceMs || !backOffs.tryHold(work)) {
    return { do: 'deadLetter', reason: reasonOf(error) }
  }
  work.tries = 1
  work.notes = { ...work.notes, rounds: rounds + 1 }
  return { do: 'again', inMs: decision.requeueInMs, hold: true }
}

/** In a batch nobody knows whose fault a failure was; and nobody in it waits, or the others would wait too. */
function planInBatch(
  batch: Batch<Work>,
  work: Work,
  decision: RetryDecision,
  error: unknown,
  valve: Valve,
): Plan | undefined {
  if (!batch.shared && ('deadLetter' in decision || 'requeueInMs' in decision)) {
    work.passes = 'deadLetter' in decision
    batch.absent(work)
    return undefined
  }
  if (isTakenBack(work)) return { do: 'release' }
  if ('stopTheLine' in decision) {
    return valve.stopTheLine(reasonOf(error)) === 'release' ? { do: 'release' } : { do: 'alone' }
  }
  if (valve.line.state === 'stopped' && valve.whileStopped() === 'release') return { do: 'release' }
  return { do: 'alone' }
}

function isTakenBack({ delivery: { recalled, signal } }: Work): boolean {
  return recalled.aborted || signal.aborted
}

/** An open circuit holds nothing open: what can come back later goes, and is known when it comes. */
function planWhileStopped(
  { valve, setbacks }: Pick<RetryParts, 'valve' | 'setbacks'>,
  work: Work,
  decision: Exclude<RetryDecision, { readonly deadLetter: string } | { readonly stopTheLine: true }>,
  nowMs: number,
): Plan {
  const again = 'retryInMs' in decision
  if (again) work.tries++
  if (setbacks.canRequeue(work)) {
    if (!again) return { do: 'requeue', inMs: decision.requeueInMs, counted: true }
    return { do: 'requeue', inMs: Math.max(valve.line.probeAtMs - nowMs, decision.retryInMs), counted: false }
  }
  if (!again) {
    work.tries = 1
    work.notes = { ...work.notes, rounds: work.notes.rounds + 1 }
  }
  const told = valve.whileStopped()
  return told === 'release' ? { do: 'release' } : { do: 'again', inMs: told.waitMs, hold: false }
}

function logFailure({ options, bus }: IntakeContext, { message: { id, type }, attempt }: Work, error: unknown): void {
  const { service } = options
  bus.logger.warn({ service, id, type, attempt: attempt - 1, reason: reasonOf(error) }, 'handler failed')
}
