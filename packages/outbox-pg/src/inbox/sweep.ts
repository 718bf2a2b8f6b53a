import type { Database, Queryable } from '../database.ts'
import { INBOX_DEFAULTS } from './options.ts'

/** Forgets what is older than the retention, a batch at a time, each in a transaction of its own. */
export async function sweepInbox<Trx>(database: Database<Trx>, schema: string, retentionMs: number): Promise<number> {
  let total = 0
  for (;;) {
    const deleted = await database.transaction({
      work: async (trx) => {
        const { rows } = await (database.inTransaction(trx) as Queryable).query(
          `WITH old AS (
             DELETE FROM ${schema}.inbox WHERE ctid = ANY (ARRAY(
               SELECT ctid FROM ${schema}.inbox WHERE handled_at < now() - $1::float8 * interval '1 ms'
               LIMIT ${INBOX_DEFAULTS.sweepBatch} FOR UPDATE SKIP LOCKED))
             RETURNING 1)
           SELECT count(*)::int AS count FROM old`,
          [retentionMs],
        )
        return Number(rows[0].count)
      },
    })
    total += deleted
    if (deleted < INBOX_DEFAULTS.sweepBatch) return total
  }
}
