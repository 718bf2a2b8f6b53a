import { AssertionError } from 'node:assert'
import { sleep, systemPorts } from '../ports.ts'
import { CaseContext } from './case-context.ts'
import type { ResolvedOptions } from './options.ts'
import { ProcessGuard } from './process-guard.ts'
import type { CaseResult } from './report.ts'
import type { SuiteCase } from './suite-case.ts'

/** Runs one case with clients and names of its own; never rejects. */
export async function runCase(suiteCase: SuiteCase, options: ResolvedOptions, runName: string): Promise<CaseResult> {
  const startMs = performance.now()
  const { id, title, needs } = suiteCase
  const end = new AbortController()
  const context = new CaseContext(options, runName, id, end.signal)
  const result = (outcome: CaseResult['outcome'], reason?: string): CaseResult => {
    return { id, title, outcome, reason, leftOut: context.leftOut, durationMs: performance.now() - startMs }
  }
  const failures: unknown[] = []
  using guard = new ProcessGuard()
  try {
    if (needs !== undefined && context.hook(needs, 'all of it') === undefined) {
      return result('skipped', `the adapter's test gives no hook ${needs}`)
    }
    const lacking = suiteCase.lacks?.(await context.client())
    if (lacking !== undefined) {
      await context.close()
      return result('skipped', `the transport lacks ${lacking}`)
    }
    await withinTime(suiteCase.run(context), options.caseTimeoutMs, end)
  } catch (error) {
    failures.push(error)
  }
  await context.close().catch((error: unknown) => failures.push(error))
  failures.push(...guard.seen)
  if (failures.length === 0) return result('passed')
  const reasons = failures.map((failure) => (failure instanceof Error ? describeError(failure) : String(failure)))
  return result('failed', reasons.join('\n'))
}

async function withinTime(work: Promise<void>, timeoutMs: number, end: AbortController): Promise<void> {
  const done = new AbortController()
  const late = sleep(systemPorts.timers, timeoutMs, done.signal).then(
    () => {
      // waits of the case end now and say what they waited for, which is the better message
      end.abort(new AssertionError({ message: `the case took more than ${timeoutMs} ms` }))
      return sleep(systemPorts.timers, 1_000).then(() => Promise.reject(end.signal.reason as Error))
    },
    () => {},
  )
  try {
    await Promise.race([work, late.then(() => work)])
  } finally {
    done.abort()
    await late.catch(() => {})
  }
}

function describeError(error: Error): string {
  const cause = error.cause instanceof Error ? ` (caused by ${error.cause.message})` : ''
  const place = error.stack
    ?.split('\n')
    .find((line) => line.includes('/testing/cases/'))
    ?.trim()
  return `${error.name}: ${error.message}${cause}${place === undefined ? '' : `\n    ${place}`}`
}
