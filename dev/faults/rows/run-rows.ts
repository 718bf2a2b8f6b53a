import { KILL_ROWS } from './kill-rows.ts'
import { runKillRow, type RowRun } from './run-kill-row.ts'
import { runSameId, SAME_ID_ROW } from './same-id.ts'

/** The rows of the fault matrix that can be run, in their order. */
export const ROWS: readonly { readonly row: number; readonly what: string }[] = [
  ...KILL_ROWS,
  { row: SAME_ID_ROW, what: 'two readers get copies of one id at once, and roll back now and then' },
].toSorted((left, right) => left.row - right.row)

export interface RowsOptions {
  readonly url: string
  readonly rows: readonly number[]
  readonly seeds: readonly number[]
  /** Runs at once. */
  readonly parallel: number
  onRun(run: RowRun): void
}

/** Runs each row with each seed. */
export async function runRows({ url, rows, seeds, parallel, onRun }: RowsOptions): Promise<void> {
  const runs = seeds.flatMap((seed) => rows.map((row) => ({ row, seed })))
  const worker = async () => {
    for (let next = runs.shift(); next !== undefined; next = runs.shift()) {
      const { row, seed } = next
      const kill = KILL_ROWS.find((known) => known.row === row)
      onRun(await (kill ? runKillRow(url, kill, seed) : runSameId(url, seed)))
    }
  }
  await Promise.all(Array.from({ length: parallel }, worker))
}
