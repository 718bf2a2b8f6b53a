import { setTimeout as wait } from 'node:timers/promises'

/** One run: how much was done, in what time, at what cost of this process. */
export interface Run {
  readonly perSecond: number
  /** CPU of this process for one unit. */
  readonly cpuMicros: number
  /** CPU of the database server for one unit, where it is known. */
  readonly serverMicros?: number | undefined
}

/** Runs `work` for `durationMs`, counting what it says was done. */
export async function timed(work: (go: () => boolean) => Promise<number>, durationMs: number): Promise<Run> {
  const cpu = process.cpuUsage()
  const startedMs = performance.now()
  const done = await work(() => performance.now() - startedMs < durationMs)
  const { user, system } = process.cpuUsage(cpu)
  return { perSecond: (1_000 * done) / (performance.now() - startedMs), cpuMicros: (user + system) / Math.max(1, done) }
}

/** Runs the ways one after another, `pairs` times over, each round in the other order, so that drift hits all alike. */
export async function inRounds<Name extends string>(
  ways: Readonly<Record<Name, () => Promise<Run>>>,
  pairs: number,
): Promise<Record<Name, Run[]>> {
  const names = Object.keys(ways) as Name[]
  const runs = Object.fromEntries(names.map((name) => [name, [] as Run[]])) as Record<Name, Run[]>
  for (let pair = 0; pair < pairs; pair++) {
    for (const name of pair % 2 === 0 ? names : names.toReversed()) {
      runs[name].push(await ways[name]())
      await wait(50)
    }
  }
  return runs
}

/** The rate of one way over the other's, pair by pair. */
export function ratios(runs: readonly Run[], limit: readonly Run[]): number[] {
  return runs.map(({ perSecond }, pair) => perSecond / limit[pair]!.perSecond)
}

export function middle(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[values.length >> 1]!
}

/** Median and range. */
export function shown(values: readonly number[], digits = 0, unit = ''): string {
  const sorted = values.toSorted((left, right) => left - right)
  const [least, middle, most] = [sorted[0]!, sorted[sorted.length >> 1]!, sorted.at(-1)!]
  return `${middle.toFixed(digits)}${unit} (${least.toFixed(digits)}–${most.toFixed(digits)})`
}
