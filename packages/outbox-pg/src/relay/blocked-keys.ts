import type { WireMessage } from '@waybill/core'
import { textRows, type PgPool } from '../database.ts'
import { andInBuckets, type Buckets } from '../log/buckets.ts'

/** A key within its destination; `undefined` for a message without one. */
function laneOf({ destination, orderingKey }: WireMessage): string | undefined {
  return orderingKey === undefined ? undefined : JSON.stringify([destination.name, orderingKey])
}

/** Keys with rows in `outbox_retry`: later rows of theirs go there too, else they would overtake. */
export class BlockedKeys {
  readonly #counts = new Map<string, number>()

  clear(): void {
    this.#counts.clear()
  }

  /** Adds what is stored for these buckets. */
  async load(pool: PgPool, schema: string, reader: string, buckets: Buckets, skipParked: boolean): Promise<void> {
    const rows = await textRows(
      pool,
      `SELECT destination, ordering_key, count(*) FROM ${schema}.outbox_retry r
       WHERE reader = $1 AND ordering_key IS NOT NULL ${skipParked ? 'AND parked_at IS NULL' : ''}
         ${andInBuckets('r', buckets)}
       GROUP BY 1, 2`,
      [reader],
    )
    for (const [destination, key, count] of rows) this.#counts.set(JSON.stringify([destination, key]), Number(count))
  }

  has(message: WireMessage): boolean {
    if (this.#counts.size === 0) return false
    const lane = laneOf(message)
    return lane !== undefined && this.#counts.has(lane)
  }

  add(message: WireMessage): void {
    const lane = laneOf(message)
    if (lane !== undefined) this.#counts.set(lane, (this.#counts.get(lane) ?? 0) + 1)
  }

  remove(message: WireMessage): void {
    const lane = laneOf(message)
    if (lane === undefined) return
    const left = (this.#counts.get(lane) ?? 0) - 1
    if (left > 0) this.#counts.set(lane, left)
    else this.#counts.delete(lane)
  }
}
