import type { CarrierAt, CarrierName } from './carrier.ts'
import { KILL_ROWS } from './kill-rows.ts'
import { runKillRow } from './run-kill-row.ts'
import { CannotRunHere, type Scenario, type Shown } from './scenario.ts'
import { SCENARIOS } from './scenarios.ts'

/** The rows of the fault matrix that can be run, in their order, and the harder cases by name. */
export const ROWS: readonly Scenario[] = [
  ...KILL_ROWS.map((row): Scenario => ({ ...row, quick: true, run: (at) => runKillRow(row, at) })),
  ...SCENARIOS,
].toSorted((left, right) => orderOf(left) - orderOf(right))

export interface RowRun extends Omit<Shown, 'verdict'> {
  readonly row: Scenario
  readonly seed: number
  readonly carrier: CarrierName
  /** `undefined` when it could not be run to its end, for the reason that `note` gives. */
  readonly verdict: Shown['verdict'] | undefined
}

export interface RowsOptions {
  readonly url: string
  readonly carriers: readonly CarrierAt[]
  readonly rows: readonly (number | string)[]
  readonly seeds: readonly number[]
  /** How long faults last that have a length. @default as long as the matrix says */
  readonly faultMs?: number | undefined
  /** Runs at once. */
  readonly parallel: number
  onRun(run: RowRun): void
}

/** Runs each row with each seed on each carrier. */
export async function runRows({ url, carriers, rows, seeds, faultMs, parallel, onRun }: RowsOptions): Promise<void> {
  const wanted = ROWS.filter(({ row }) => rows.includes(row))
  const runs = carriers.flatMap((carrier) =>
    seeds.flatMap((seed) =>
      wanted.filter((row) => row.carriers?.includes(carrier.name) ?? true).map((row) => ({ row, seed, carrier })),
    ),
  )
  const worker = async () => {
    for (let next = runs.shift(); next !== undefined; next = runs.shift()) {
      const { row, seed, carrier } = next
      const shown = await row.run({ url, carrier, seed, faultMs }).catch((error: Error) => ({
        verdict: undefined,
        note: `${error instanceof CannotRunHere ? 'cannot run here: ' : ''}${error.message}`,
      }))
      onRun({ row, seed, carrier: carrier.name, ...shown })
    }
  }
  await Promise.all(Array.from({ length: parallel }, worker))
}

function orderOf({ row }: Scenario): number {
  return typeof row === 'number' ? row : Infinity
}
