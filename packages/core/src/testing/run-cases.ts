import { cases } from './cases/index.ts'
import { ConfigError } from '../errors.ts'
import { resolveOptions, type CasesOptions, type ResolvedOptions } from './options.ts'
import type { CaseResult, Report } from './report.ts'
import { runCase } from './run-case.ts'
import type { SuiteCase } from './suite-case.ts'

/** The cases of one run, started in turn, at most `concurrent` at once. */
export class CaseRun {
  readonly options: ResolvedOptions
  readonly cases: readonly SuiteCase[]
  readonly #name: string
  readonly #started = new Map<string, Promise<CaseResult>>()
  readonly #results = new Map<string, CaseResult>()

  constructor(given: CasesOptions) {
    this.options = resolveOptions(given)
    const { only, seed } = this.options
    const unknown = only?.find((id) => !cases.some((each) => each.id === id))
    if (unknown !== undefined) throw new ConfigError(`only names the case "${unknown}", which the suite has not`)
    this.cases = only === undefined ? cases : cases.filter(({ id }) => only.includes(id))
    // brokers keep what earlier runs left behind, so that a replayed seed must not meet its own names
    this.#name = `suite.${seed.toString(36)}${Date.now().toString(36)}`
  }

  /** The result of a case; starts it, and those after it that may run beside it. */
  result(suiteCase: SuiteCase): Promise<CaseResult> {
    const index = this.cases.indexOf(suiteCase)
    for (const each of this.cases.slice(index, index + this.options.concurrent)) void this.#start(each)
    return this.#start(suiteCase)
  }

  report(): Report {
    const results = this.cases.map(({ id }) => this.#results.get(id)).filter((result) => result !== undefined)
    return { name: this.options.name, seed: this.options.seed, results }
  }

  #start(suiteCase: SuiteCase): Promise<CaseResult> {
    const running = this.#started.get(suiteCase.id)
    if (running !== undefined) return running
    const started = runCase(suiteCase, this.options, this.#name).then((result) => {
      this.#results.set(result.id, result)
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
  return run.report()
}
