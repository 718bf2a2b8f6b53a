import { crc32 } from 'node:zlib'

/** Each key belongs to one of so many slots, each slot to a shard; so many shards there may be at most. */
export const SLOTS = 60

/** What one queue is divided into: the names of its parts, and of what brings messages to them. */
export interface ShardSet {
  /** The name that the parts stand for. */
  readonly home: string
  readonly count: number
  /** The parts, each read by one instance at a time. */
  readonly queues: readonly string[]
  /** Sends a message to the shard of its slot. */
  readonly exchange: string
  /** Takes what names no slot, as foreign producers send it, to the first shard. */
  readonly keyless: string
  /** Consumed by each instance, so that they can be counted; nothing is sent to it. */
  readonly members: string
  /** Consumed by each instance that has less than its share. */
  readonly wanting: string
}

export function shardSet(home: string, count: number): ShardSet {
  const exchange = `${home}.of-${count}`
  return Object.freeze({
    home,
    count,
    queues: Array.from({ length: count }, (_, index) => `${home}.${index + 1}-of-${count}`),
    exchange,
    keyless: `${exchange}.keyless`,
    members: `${exchange}.members`,
    wanting: `${exchange}.wanting`,
  })
}

/** CRC-32 of the key's UTF-8, so that a producer in any language can find it. */
export function slotOf(orderingKey: string): number {
  return crc32(orderingKey) % SLOTS
}

/**
 * How a message names its slot to an exchange. A dozen words, most of them empty, so that no pattern that a service
 * binds for the sake of subjects takes it for one.
 */
export function slotKey(slot: number): string {
  return `waybill.slot.${slot}.........`
}

/** The slots of the shard at `index`. */
export function slotsOf({ count }: ShardSet, index: number): number[] {
  return Array.from({ length: SLOTS }, (_, slot) => slot).filter((slot) => slot % count === index)
}

/** The shard that a message sent straight to `set.home` belongs to. */
export function queueOf(set: ShardSet, orderingKey: string | undefined): string {
  return set.queues[orderingKey === undefined ? 0 : slotOf(orderingKey) % set.count]!
}
