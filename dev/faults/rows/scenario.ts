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
  while (!enough()) {
    const { rows } = await pool.query(`select count(*)::int as count from "${place.log}".orders`)
    await produce({ ...place, operations: rows[0].count + step }, () => {})
  }
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

/** @see https://en.wikipedia.org/wiki/Xorshift */
export function seededRandom(seed: number): () => number {
  let state = (seed * 2_654_435_761) >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
