/** What an instance knows of one shard. */
export interface ShardSight {
  readonly held: boolean
  /** Nobody consumes it. */
  readonly free: boolean
}

export interface ShardsInSight {
  readonly shards: readonly ShardSight[]
  /** How many there are, this one included. */
  readonly instances: number
  /** How many say that they have less than the least share. */
  readonly wanting: number
}

export interface ShardChoice {
  /** To begin to read if nobody was quicker, by index. */
  readonly take: readonly number[]
  /** To leave once what is open is settled. */
  readonly give: number | undefined
  /** Whether to say that this instance has less than the least share. */
  readonly want: boolean
}

/**
 * What one instance does to come to its share, by what it sees alone. Shares differ by one at most: who has more than the
 * largest leaves one unasked, who has more than the least leaves one when somebody wants, and only those who want take
 * what was left for them.
 */
export function chooseShards({ shards, instances, wanting }: ShardsInSight, random: () => number): ShardChoice {
  const least = Math.floor(shards.length / instances)
  const most = Math.ceil(shards.length / instances)
  const indexes = shuffled(shards.length, random)
  const held = indexes.filter((index) => shards[index]!.held)
  // not all at once, as one may be enough
  const asked = wanting > 0 && held.length > least && random() < 0.5
  if (held.length > most || asked) return { take: [], give: held[0], want: false }
  const want = held.length < least
  const share = wanting > 0 && !want ? least : most
  const free = indexes.filter((index) => shards[index]!.free && !shards[index]!.held)
  return { take: free.slice(0, Math.max(0, share - held.length)), give: undefined, want }
}

function shuffled(length: number, random: () => number): number[] {
  const indexes = Array.from({ length }, (_, index) => index)
  for (let last = length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1))
    const kept = indexes[last]!
    indexes[last] = indexes[other]!
    indexes[other] = kept
  }
  return indexes
}
