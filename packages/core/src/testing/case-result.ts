export type CaseOutcome = 'passed' | 'failed' | 'skipped'

export interface CaseResult {
  readonly id: string
  readonly title: string
  readonly outcome: CaseOutcome
  /** Why it was skipped, or how it failed. */
  readonly reason?: string | undefined
  /** Parts that could not be run for want of a hook or a capability. */
  readonly leftOut: readonly string[]
  /** Hooks that the adapter's test did not give: the level of the case is not granted. */
  readonly missingHooks: readonly string[]
  readonly durationMs: number
}

export interface Report {
  readonly name: string
  readonly seed: number
  readonly results: readonly CaseResult[]
  /** Cases that `only`, or the runner's own filter, kept from running. */
  readonly notRun: readonly string[]
  /** What was still open when all cases had ended; looked at here where several run at once. */
  readonly leftOpen?: string | undefined
}
