import { jsonLine, UsageError } from '@waybill/core/command'
import { textRows } from '../database.ts'
import { quoteSchema } from '../schema-name.ts'
import { sure, type OutboxIo, type Place } from './outbox-io.ts'

const BATCH = 5_000
const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 }

/** What of each table is old, by `$1` milliseconds. */
const OLD: Readonly<Record<string, { readonly table: string; readonly where: string }>> = {
  inbox: { table: 'inbox', where: `handled_at < clock_timestamp() - $1::float8 * interval '1 ms'` },
  dedupe: { table: 'outbox_dedupe', where: `expires_at < clock_timestamp() - $1::float8 * interval '1 ms'` },
  parked: { table: 'parked', where: `parked_at < clock_timestamp() - $1::float8 * interval '1 ms'` },
  refused: { table: 'outbox_retry', where: `parked_at < clock_timestamp() - $1::float8 * interval '1 ms'` },
}

export interface PurgeOrder {
  readonly what: readonly string[]
  readonly olderThan: string | undefined
  readonly yes?: boolean | undefined
  readonly reason?: string | undefined
}

/** `waybill-outbox purge`: forgets what is old, a batch at a time, each in a transaction of its own. */
export function purge(order: PurgeOrder): (place: Place, io: OutboxIo) => Promise<number> {
  const [what] = order.what
  const old = what === undefined || !Object.hasOwn(OLD, what) ? undefined : OLD[what]
  if (order.what.length !== 1 || old === undefined) throw new UsageError('purge takes inbox, dedupe, parked or refused')
  const given = /^(\d{1,6})([mhd])$/.exec(order.olderThan ?? '')
  if (given === null) throw new UsageError('purge needs --older-than AGE, such as 30m, 12h or 7d')
  const olderThanMs = Number(given[1]) * UNITS[given[2]!]!
  const reason = sure('purge', order)
  return async ({ pool, schema, json }, io) => {
    const table = `${quoteSchema(schema)}.${old.table}`
    let purged = 0
    for (let batch = BATCH; batch === BATCH && !io.signal.aborted;) {
      const [[deleted]] = (await textRows(
        pool,
        `WITH old AS (
           DELETE FROM ${table} WHERE ctid = ANY (ARRAY(
             SELECT ctid FROM ${table} WHERE ${old.where} LIMIT ${BATCH} FOR UPDATE SKIP LOCKED)) RETURNING 1)
         SELECT count(*) FROM old`,
        [olderThanMs],
        60_000,
      )) as [[string]]
      batch = Number(deleted)
      purged += batch
      if (batch === BATCH) io.printError(`${purged} so far`)
    }
    const stopped = io.signal.aborted
    io.print(json ? jsonLine({ purged, table: old.table, reason, stopped }) : `${purged} rows of ${old.table} purged`)
    if (stopped) io.printError('stopped: run again for the rest')
    return stopped ? 1 : 0
  }
}
