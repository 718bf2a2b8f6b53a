import { say } from '../../bootstrap/paths.mjs'
import { startPostgres } from '../../servers/index.ts'
import { rowsReport } from './rows-report.ts'
import type { RowRun } from './run-kill-row.ts'
import { ROWS, runRows } from './run-rows.ts'
import { clean } from './verdict.ts'

export interface RowsCommand {
  readonly rows: readonly string[]
  readonly seed: number
  readonly runs: number
}

/**
 * `npm run faults -- --rows …`: on a PostgreSQL of its own. Resolves with whether all was well: a row that was asked for
 * and can't be run yet did not pass.
 */
export async function rowsCommand({ rows, seed, runs }: RowsCommand): Promise<boolean> {
  const known = ROWS.filter(({ row }) => rows.includes(String(row))).map(({ row }) => row)
  const missing = rows.filter((row) => !known.includes(Number(row)))
  if (missing.length > 0) say(`rows without a harness yet, not run: ${missing.join(', ')}`)
  if (known.length === 0) throw new Error(`--rows: there are ${ROWS.map(({ row }) => row).join(', ')}`)
  await using server = await startPostgres({ direct: true })
  const done: RowRun[] = []
  try {
    await runRows({
      url: server.url,
      rows: known,
      seeds: Array.from({ length: runs }, (_, index) => seed + index),
      parallel: 2,
      onRun(run) {
        done.push(run)
        if (!clean(run.verdict)) say(`row ${run.row} seed ${run.seed}: ${JSON.stringify(run.verdict)}`)
      },
    })
  } finally {
    // what was learned until something broke is worth having
    console.log(rowsReport(done))
  }
  return missing.length === 0 && done.every(({ verdict }) => clean(verdict))
}
