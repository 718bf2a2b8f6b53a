import { BUCKETS } from '../row.ts'

/** The buckets from `from` on, up to `to`, which is not counted in. */
export interface Buckets {
  readonly from: number
  readonly to: number
}

export const ALL_BUCKETS: Buckets = Object.freeze({ from: 0, to: BUCKETS })

/** SQL to add to a condition on `row`, an alias with a column `bucket`. A reader that has all of them pays for none. */
export function andInBuckets(row: string, { from, to }: Buckets): string {
  return from === 0 && to === BUCKETS ? '' : ` AND ${row}.bucket >= ${from} AND ${row}.bucket < ${to}`
}
