export type CaseOutcome = 'passed' | 'failed' | 'skipped'

export interface CaseResult {
  readonly id: string
  readonly title: string
  readonly outcome: CaseOutcome
  /** Why it was skipped, or how it failed. */
  readonly reason?: string | undefined
  /** Parts that could not be run for want of a hook or a capability. */
  readonly leftOut: readonly string[]
  readonly durationMs: number
}

export interface Report {
  readonly name: string
  readonly seed: number
  readonly results: readonly CaseResult[]
}

/** The report as text: a line per case, then what was granted. */
export function reportText({ name, seed, results }: Report): string {
  const lines = results.map(({ id, title, outcome, reason, leftOut, durationMs }) => {
    const why = outcome === 'passed' ? leftOut.join('; ') : (reason ?? '')
    return `  ${outcome.padEnd(7)} ${id.padStart(3)}  ${title} (${Math.round(durationMs)} ms)${why && `: ${firstLine(why)}`}`
  })
  const count = (outcome: CaseOutcome) => results.filter((result) => result.outcome === outcome).length
  const level = count('failed') > 0 ? 'not granted' : 'Core and Patterns in part (the cases listed)'
  return [
    `adapter suite on ${name}, seed ${seed}`,
    ...lines,
    `  ${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped for want of a capability`,
    `  level: ${level}`,
  ].join('\n')
}

function firstLine(text: string): string {
  const [first = ''] = text.split('\n', 1)
  return first.length <= 300 ? first : `${first.slice(0, 299)}…`
}
