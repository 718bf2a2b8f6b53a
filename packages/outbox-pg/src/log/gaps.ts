/** Ids from `low` to `high`, both counted in, that were not there when the log was read past them. */
export interface Gap {
  readonly low: number
  readonly high: number
  /** A transaction id assigned after the gap was seen; its owner's is lower. `undefined` until one is known. */
  readonly bound: bigint | undefined
}

/** Where a reader stands: all up to `position` is handed on, except for what may still come in the gaps. */
export interface LogPosition {
  readonly position: number
  /** Ascending, none touching another with the same bound. */
  readonly gaps: readonly Gap[]
}

/** What one statement saw: rows in the gaps and rows above the position, from one snapshot. */
export interface LogRead {
  /** Ascending. */
  readonly seen: readonly number[]
  /** `pg_snapshot_xmin` of that same snapshot: every transaction below it has ended. */
  readonly xmin: bigint
  /** The gaps held more rows than one read takes: nothing is known of what lies above this id. */
  readonly cutAt?: number | undefined
}

/**
 * The log's ids are given out in one order and committed in another, so `id > last` loses rows. This decides what a read
 * hands on, which ids to look for again, and when an id can never come any more: once every transaction that was running
 * when its absence was seen has ended. A snapshot's `xmax` would not do as that bound: the owner may be above it.
 */
export function advance(before: LogPosition, read: LogRead): { after: LogPosition; handOn: readonly number[] } {
  const { seen, xmin, cutAt = Infinity } = read
  const gaps: Gap[] = []
  const handOn: number[] = []
  let next = 0
  const keep = (low: number, high: number, bound: bigint | undefined) => {
    if (low <= high) gaps.push({ low, high, bound })
  }
  for (const { low, high, bound } of before.gaps) {
    let from = low
    // given up on: its owner had its transaction id before the bound was assigned, and all below xmin have ended
    const ended = bound !== undefined && xmin >= bound
    const absent = (to: number) => {
      if (!ended) keep(from, to, bound)
      else if (to > cutAt) keep(Math.max(from, cutAt + 1), to, bound)
    }
    while (next < seen.length && seen[next]! < low) next++
    for (; next < seen.length && seen[next]! <= high && seen[next]! <= cutAt; next++) {
      absent(seen[next]! - 1)
      handOn.push(seen[next]!)
      from = seen[next]! + 1
    }
    absent(high)
  }
  let { position } = before
  if (cutAt === Infinity) {
    for (; next < seen.length; next++) {
      const id = seen[next]!
      if (id <= position) continue
      keep(position + 1, id - 1, undefined)
      handOn.push(id)
      position = id
    }
  }
  return { after: { position, gaps }, handOn }
}

/** Gives each gap that has no bound yet one: a transaction id assigned after it was seen. */
export function bind(state: LogPosition, xid: bigint): LogPosition {
  return { ...state, gaps: state.gaps.map((gap) => (gap.bound === undefined ? { ...gap, bound: xid } : gap)) }
}

/** Puts ids back that were handed on, to be read again. `ids` ascending, none in a gap. */
export function giveBack(state: LogPosition, ids: readonly number[]): LogPosition {
  const back = ids.map((id) => ({ low: id, high: id, bound: undefined }))
  return { ...state, gaps: [...state.gaps, ...back].sort((left, right) => left.low - right.low) }
}

/** What is stored: each id up to the position that is a gap, or handed on and not settled. Ranges, ascending and disjoint. */
export function openRanges(state: LogPosition, unsettled: Iterable<number>): (readonly [low: number, high: number])[] {
  const all: [number, number][] = state.gaps.map(({ low, high }) => [low, high])
  for (const id of unsettled) all.push([id, id])
  all.sort((left, right) => left[0] - right[0])
  const merged: [number, number][] = []
  for (const [low, high] of all) {
    const last = merged.at(-1)
    if (last && low <= last[1] + 1) last[1] = Math.max(last[1], high)
    else merged.push([low, high])
  }
  return merged
}

/** What `openRanges` made, as the database gives it back: `{[1,3),[7,8)}`. */
export function readRanges(text: string): (readonly [low: number, high: number])[] {
  return [...text.matchAll(/\[(\d+),(\d+)\)/g)].map(([, low, above]) => [Number(low), Number(above) - 1] as const)
}

/** Ranges without these ids. Both ascending. */
export function without(
  ranges: readonly (readonly [low: number, high: number])[],
  ids: readonly number[],
): (readonly [low: number, high: number])[] {
  const left: (readonly [number, number])[] = []
  let next = 0
  for (const [low, high] of ranges) {
    let from = low
    while (next < ids.length && ids[next]! < low) next++
    for (; next < ids.length && ids[next]! <= high; next++) {
      if (ids[next]! > from) left.push([from, ids[next]! - 1])
      from = ids[next]! + 1
    }
    if (from <= high) left.push([from, high])
  }
  return left
}

/** Where a restart goes on. */
export function resume(position: number, open: readonly (readonly [low: number, high: number])[]): LogPosition {
  return { position, gaps: open.map(([low, high]) => ({ low, high, bound: undefined })) }
}
