import { cases } from './cases/index.ts'
import { ConfigError } from '../errors.ts'
import { handlesLeft, openHandles, type Handles } from './handles.ts'
import { resolveOptions, type CasesOptions, type ResolvedOptions } from './options.ts'
import type { CaseResult, Report } from './case-result.ts'
import { HANDLES_GONE_MS, runCase, type CaseSetup } from './run-case.ts'
import { SecretWatch } from './secret-watch.ts'
import type { SuiteCase } from './suite-case.ts'

/** The cases of one run, started in turn, at most `concurrent` at once. */
export class CaseRun {
  readonly options: ResolvedOptions
  readonly cases: readonly SuiteCase[]
  readonly #setup: CaseSetup
  readonly #started = new Map<string, Promise<CaseResult>>()
  readonly #results = new Map<string, CaseResult>()
  #handles: Handles | undefined

  constructor(given: CasesOptions) {
    this.options = resolveOptions(given)
    const { only, seed, secrets, logLines } = this.options
    const unknown = only?.find((id) => !cases.some((each) => each.id === id))
    if (unknown !== undefined) throw new ConfigError(`only names the case "${unknown}", which the suite has not`)
    this.cases = only === undefined ? cases : cases.filter(({ id }) => only.includes(id))
    // brokers keep what earlier runs left behind, so that a replayed seed must not meet its own names
    const runName = `suite.${seed.toString(36)}${Date.now().toString(36)}`
    this.#setup = { options: this.options, runName, secretWatch: new SecretWatch(secrets, logLines) }
  }

  /** The result of a case; starts it, and those after it that may run beside it. */
  result(suiteCase: SuiteCase): Promise<CaseResult> {
    const index = this.cases.indexOf(suiteCase)
    for (const each of this.cases.slice(index, index + this.options.concurrent)) void this.#start(each)
    return this.#start(suiteCase)
  }

  /** Waits for what runs, and looks for what it left open. */
  async finish(): Promise<Report> {
    await Promise.all(this.#started.values())
    const { name, seed } = this.options
    const results = this.cases.map(({ id }) => this.#results.get(id)).filter((result) => result !== undefined)
    const notRun = cases.map(({ id }) => id).filter((id) => !this.#results.has(id))
    const leftOpen = this.#handles && (await handlesLeft(this.#handles, HANDLES_GONE_MS))
    return { name, seed, results, notRun, leftOpen }
  }

  #start(suiteCase: SuiteCase): Promise<CaseResult> {
    const running = this.#started.get(suiteCase.id)
    if (running !== undefined) return running
    this.#handles ??= openHandles()
    const started = runCase(suiteCase, this.#setup).then((result) => {
      this.#results.set(result.id, result)
      this.options.onResult(result)
      return result
    })
    this.#started.set(suiteCase.id, started)
    return started
  }
}

/** Runs the cases without a test runner, for tools and for tests of the suite itself. */
export async function runCases(options: CasesOptions): Promise<Report> {
  const run = new CaseRun(options)
  for (const suiteCase of run.cases) await run.result(suiteCase)
  return await run.finish()
}
