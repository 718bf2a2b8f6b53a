import { CARRIERS } from './carrier.ts'
import { ROWS, type RowRun } from './run-rows.ts'
import type { Verdict } from './verdict.ts'

/** A table of all runs, one line per row and carrier. */
export function rowsReport(runs: readonly RowRun[]): string {
  const lines = ROWS.flatMap((row) =>
    CARRIERS.flatMap((carrier) => {
      const own = runs.filter((run) => run.row === row && run.carrier === carrier)
      if (own.length === 0) return []
      const sum = (of: keyof Verdict) => own.reduce((total, { verdict }) => total + (verdict?.[of] ?? 0), 0)
      const kills = own.reduce((total, run) => total + (run.kills ?? 0), 0)
      const failed = own.filter(({ verdict }) => verdict === undefined).length
      const notes = [...new Set(own.flatMap(({ note }) => note ?? []))].slice(0, 2).join(' · ')
      const counts = (['committed', 'lost', 'doubled', 'unexpected', 'disordered'] as const).map(sum)
      // a broker keeps no log that would tell
      const copies = carrier === 'postgres' ? sum('copies') : '–'
      return [`| ${[row.row, row.what, carrier, own.length, failed, kills, ...counts, copies, notes].join(' | ')} |`]
    }),
  )
  return [
    '| row | fault | carrier | runs | of them not ended | kills | committed | lost | doubled | unexpected | out of order | copies on the carrier | also |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    ...lines,
  ].join('\n')
}
