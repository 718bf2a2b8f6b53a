import { shown } from './pairs.ts'

/** One row of the table: what was reached beside its raw limit in the same run. */
export interface BenchRow {
  readonly what: string
  readonly measured: string
  readonly limit: string
  /** Measured over limit, one for each pair. */
  readonly ratios?: readonly number[] | undefined
  /** The ratio to be reached. */
  readonly goal?: number | undefined
  /** Where the goal is no ratio. */
  readonly reached?: boolean | undefined
}

/** The table as Markdown. */
export function tableOf(rows: readonly BenchRow[]): string {
  const lines = rows.map(({ what, measured, limit, ratios, goal, reached }) => {
    const ratio = ratios === undefined ? '' : shown(ratios, 2)
    const middle = ratios?.toSorted((left, right) => left - right)[ratios.length >> 1]
    const met = reached ?? (goal === undefined || middle === undefined ? undefined : middle >= goal)
    const goalText = goal === undefined ? '' : `≥ ${goal}`
    const verdict = met === undefined ? '' : met ? 'reached' : 'missed'
    return `| ${[what, measured, limit, ratio, [goalText, verdict].filter(Boolean).join(' ')].join(' | ')} |`
  })
  return ['| what | measured | raw limit, same run | ratio | goal |', '| --- | --- | --- | --- | --- |', ...lines].join(
    '\n',
  )
}
