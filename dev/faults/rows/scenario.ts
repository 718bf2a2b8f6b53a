import { setTimeout as pause } from 'node:timers/promises'
import type { CarrierName } from './carrier.ts'
import { produce } from './parts.ts'
import { judge, type Verdict } from './verdict.ts'
import type { World, WorldAt } from './world.ts'

/** What one run of a row showed. */
export interface Shown {
  /** Processes killed or frozen. */
  readonly kills?: number | undefined
  readonly verdict: Verdict
  /** What else, for the report. */
  readonly note?: string | undefined
}

/** Where a row runs, and how. */
export interface RunAt extends WorldAt {
  readonly seed: number
  /** How long a fault lasts that has a length. @default as long as the matrix says */
  readonly faultMs?: number | undefined
}

/** A row of the fault matrix, or a harder case, that is more than one kill at one point. */
export interface Scenario {
  readonly row: number | string
  readonly what: string
  /** Where it makes sense. @default all */
  readonly carriers?: readonly CarrierName[] | undefined
  /** Whether `npm test` runs it too: it takes a few seconds. @default false */
  readonly quick?: boolean | undefined
  run(at: RunAt): Promise<Shown>
}

/** Thrown where this machine lacks what a row needs: not run, and not passed. */
export class CannotRunHere extends Error {}

/** What comes late would come within this time: several polls and leases' ends of all parts. */
export const QUIET_MS = 700
const WITHIN_MS = 60_000

/** Writes some more, until `enough`. */
export async function produceUntil({ place, pool }: World, enough: () => boolean, step = 20): Promise<void> {
  while (!enough()) await produce({ ...place, operations: (await committed({ place, pool })) + step }, () => {})
}

/** How many operations there are. */
export async function committed({ place: { log }, pool }: Pick<World, 'place' | 'pool'>): Promise<number> {
  return (await pool.query(`select count(*)::int as count from "${log}".orders`)).rows[0].count as number
}

/** Waits until every operation has its effect, and a little for what must not come; what is missing shows in the verdict. */
export async function verdictOf({ place, pool }: World, withinMs = WITHIN_MS): Promise<Verdict> {
  const untilMs = performance.now() + withinMs
  while ((await judge(pool, place)).lost > 0 && performance.now() < untilMs) await pause(20)
  await pause(QUIET_MS)
  return judge(pool, place)
}

/** An assertion about what a verdict does not count. */
export function ensure(holds: boolean, text: string): asserts holds {
  if (!holds) throw new Error(text)
}
