import { ROWS } from './run-rows.ts'
import type { RowRun } from './run-kill-row.ts'

/** A table of all runs, one line per row. */
export function rowsReport(runs: readonly RowRun[]): string {
  const lines = ROWS.flatMap(({ row, what }) => {
    const own = runs.filter((run) => run.row === row)
    if (own.length === 0) return []
    const sum = (of: (run: RowRun) => number) => own.reduce((total, run) => total + of(run), 0)
    const { committed, ...counts } = {
      committed: sum(({ verdict }) => verdict.committed),
      lost: sum(({ verdict }) => verdict.lost),
      doubled: sum(({ verdict }) => verdict.doubled),
      unexpected: sum(({ verdict }) => verdict.unexpected),
      disordered: sum(({ verdict }) => verdict.disordered),
      copies: sum(({ verdict }) => verdict.copies),
    }
    const cells = [row, what, own.length, sum(({ kills }) => kills), committed, ...Object.values(counts)]
    return [`| ${cells.join(' | ')} |`]
  })
  return [
    '| row | fault | runs | kills | committed | lost | doubled | unexpected | out of order | copies on the carrier |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    ...lines,
  ].join('\n')
}
