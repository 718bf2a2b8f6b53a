import { setTimeout as pause } from 'node:timers/promises'
import { createOutbox } from '@waybill/outbox-pg'
import pg from 'pg'
import { KEYS, placedIn, type Place } from './parts.ts'

const WRITERS = 3
const EVERY_MS = 10
/** Sooner than a caller would: nothing is learned from waiting. */
const CONNECT_MS = 2_000

/** What writers met. */
export interface Written {
  /** Operations whose caller got an error: committed or not, the ledger knows. */
  readonly unknown: readonly string[]
  /** Of them, those that were tried once more under their own name. */
  readonly repeated: number
}

/**
 * Writes operations until `over`, whatever becomes of the database. Of those that failed, half are tried again under the
 * same name, as callers do who can't know.
 */
export async function writeOn(place: Place, random: () => number, over: () => boolean): Promise<Written> {
  const { log } = place
  const pool = new pg.Pool({ connectionString: place.url, max: WRITERS + 1, connectionTimeoutMillis: CONNECT_MS })
  pool.on('error', () => {})
  const Placed = placedIn(place)
  const wake = place.listen === undefined ? undefined : pool
  const outbox = createOutbox({ db: pool, source: '/orders', schema: log, transport: 'carrier', wake })
  const unknown: string[] = []
  let repeated = 0

  const order = (op: string, key: number) =>
    outbox.transaction(async (trx, messages) => {
      const next = `update "${log}".counter set number = number + 1 where key = $1 returning number`
      const number = (await trx.query(next, [key])).rows[0].number as number
      const inserted = `insert into "${log}".orders values ($1, $2, $3) on conflict do nothing`
      const { rowCount } = await trx.query(inserted, [op, key, number])
      if (rowCount === 1) messages.publish(Placed, { op, key, number })
    })
  const write = async () => {
    while (!over()) {
      const op = crypto.randomUUID()
      const key = 1 + Math.floor(random() * KEYS)
      try {
        await order(op, key)
      } catch (error) {
        if (!cutShort(error)) throw error
        unknown.push(op)
        if (random() < 0.5) {
          repeated++
          await order(op, key).catch(() => {})
        }
      }
      await pause(EVERY_MS)
    }
  }
  try {
    await Promise.all(Array.from({ length: WRITERS }, write))
  } finally {
    await pool.end()
  }
  return { unknown, repeated }
}

/** Whether the database was away, or ended what was under way; what it refuses is a mistake of the row. */
function cutShort(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code !== 'string' || /^(?:08|57|40)[0-9A-Z]{3}$|^E[A-Z]+$/.test(code)
}
