import { middle, shown } from './pairs.ts'

/** One row of the table: what was reached beside its raw limit in the same run. */
export interface BenchRow {
  readonly what: string
  readonly measured: string
  readonly limit: string
  /** Measured over limit, one for each pair. */
  readonly ratios?: readonly number[] | undefined
  /** The ratio to be reached. */
  readonly goal?: number | undefined
  /** Which part of the goal was reached, where it is not that ratio alone: 1 is all of it. */
  readonly share?: number | undefined
}

/** The table as Markdown. */
export function tableOf(rows: readonly BenchRow[]): string {
  const lines = rows.map((row) => {
    const { what, measured, limit, ratios, goal } = row
    const ratio = ratios === undefined ? '' : shown(ratios, 2)
    const goalText = goal === undefined ? '' : `≥ ${goal}`
    const verdict = verdictOf(row)
    return `| ${[what, measured, limit, ratio, [goalText, verdict].filter(Boolean).join(' ')].join(' | ')} |`
  })
  return ['| what | measured | raw limit, same run | ratio | goal |', '| --- | --- | --- | --- | --- |', ...lines].join(
    '\n',
  )
}

function verdictOf({ ratios, goal, share }: BenchRow): string {
  const part = share ?? (goal === undefined || ratios === undefined ? undefined : middle(ratios) / goal)
  if (part === undefined) return ''
  if (part >= 1) return 'reached'
  return part >= 0.9 ? 'within a tenth' : 'missed'
}
