import { AssertionError } from 'node:assert'
import type { SuiteOptions } from './options.ts'
import { reportText } from './report.ts'
import { CaseRun } from './run-cases.ts'

/**
 * Proves that an adapter keeps the contract: registers one test per case with the runner, and a last one that prints
 * the report. A case that needs a capability the transport lacks is reported as skipped, with its reason.
 * @example adapterSuite({ name: 'memory', create: () => hub.connect(), runner: { describe, it } })
 * @throws {ConfigError} for an option out of its bounds
 */
export function adapterSuite(options: SuiteOptions): void {
  const { runner, print = (text) => console.log(text) } = options
  const run = new CaseRun(options)
  const { name, seed, caseTimeoutMs } = run.options
  // a case ends by itself; the runner's own limit is the fallback, and leaves time to dispose of clients
  const timeoutMs = caseTimeoutMs + 30_000
  runner.describe(`${name} keeps the contract (seed ${seed})`, () => {
    for (const suiteCase of run.cases) {
      const { id, title } = suiteCase
      runner.it(
        `${id} ${title}`,
        async (test) => {
          const { outcome, reason = '' } = await run.result(suiteCase)
          if (outcome === 'skipped') test.skip?.(reason)
          if (outcome !== 'failed') return
          throw new AssertionError({
            message: `case ${id} (${title}) on ${name}: ${reason}\nreplay with WAYBILL_SUITE_SEED=${seed}`,
          })
        },
        timeoutMs,
      )
    }
    const report = async () => {
      const done = await run.finish()
      print(reportText(done))
      if (done.leftOpen === undefined) return
      throw new AssertionError({ message: `still open on ${name} when all cases had ended: ${done.leftOpen}` })
    }
    runner.it('leaves nothing open, and reports', report, timeoutMs)
  })
}
