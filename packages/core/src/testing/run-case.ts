import { AssertionError } from 'node:assert'
import { sleep, systemPorts } from '../ports.ts'
import { CaseContext } from './case-context.ts'
import { handlesLeft, openHandles } from './handles.ts'
import type { ResolvedOptions } from './options.ts'
import { ProcessGuard } from './process-guard.ts'
import type { CaseResult } from './case-result.ts'
import type { SecretWatch } from './secret-watch.ts'
import type { SuiteCase } from './suite-case.ts'

/** How long what was closed may take to be gone. */
export const HANDLES_GONE_MS = 3_000

/** What all cases of a run share. */
export interface CaseSetup {
  readonly options: ResolvedOptions
  readonly runName: string
  readonly secretWatch: SecretWatch
}

/** Runs one case with clients and names of its own; never rejects. */
export async function runCase(suiteCase: SuiteCase, { options, runName, secretWatch }: CaseSetup): Promise<CaseResult> {
  const startMs = performance.now()
  const { id, title, needs } = suiteCase
  const end = new AbortController()
  const leaks = secretWatch.open()
  const context = new CaseContext(options, runName, id, end.signal, leaks)
  const result = (outcome: CaseResult['outcome'], reason?: string): CaseResult => {
    const { leftOut, missingHooks } = context
    return { id, title, outcome, reason, leftOut, missingHooks, durationMs: performance.now() - startMs }
  }
  const failures: unknown[] = []
  // where several run at once nobody can tell whose a handle is: they are counted when all have ended
  const handles = options.concurrent === 1 ? openHandles() : undefined
  using guard = new ProcessGuard()
  try {
    if (needs !== undefined && context.hook(needs, 'all of it') === undefined) {
      leaks[Symbol.dispose]()
      const why = options.noConnection ? 'there is no connection' : `the adapter's test gives no hook ${needs}`
      return result('skipped', why)
    }
    const lacking = suiteCase.lacks?.(await context.client())
    if (lacking !== undefined) {
      await context.close()
      leaks[Symbol.dispose]()
      return result('skipped', `the transport lacks ${lacking}`)
    }
    await withinTime(suiteCase.run(context), options.caseTimeoutMs, end)
  } catch (error) {
    failures.push(error)
  }
  await context.close().catch((error: unknown) => failures.push(error))
  for (const failure of failures) leaks.look(failure, 'the error that the case failed with')
  if (failures.length === 0 && handles !== undefined) {
    const left = await handlesLeft(handles, HANDLES_GONE_MS)
    if (left !== undefined) failures.push(`still open ${HANDLES_GONE_MS} ms after all clients were disposed: ${left}`)
  }
  leaks[Symbol.dispose]()
  failures.push(...guard.seen, ...leaks.found)
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
