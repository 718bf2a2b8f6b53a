import type { Buckets } from './buckets.ts'
import type { LogPosition } from './gaps.ts'

/** A range of a reader's buckets under one lease. A write that names neither does nothing. */
export interface Hold {
  readonly buckets: Buckets
  readonly token: string
}

/** What a lease gives: the right to write, and where the last holder stood. */
export interface LeaseGrant extends Hold {
  readonly state: LogPosition
  /** The last holder was another one, and did not give it back. */
  readonly unclean: boolean
  /** Starts that were counted, by id. */
  readonly starts: ReadonlyMap<number, number>
}

/** Counts as they are stored, JSON by id. */
export function readStarts(text: string): ReadonlyMap<number, number> {
  const starts = Object.entries(JSON.parse(text) as Record<string, number>)
  return new Map(starts.map(([id, count]) => [Number(id), count]))
}
