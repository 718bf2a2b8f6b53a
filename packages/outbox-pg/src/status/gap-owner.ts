import { textRows, type PgPool } from '../database.ts'
import type { OpenWriter } from './writers.ts'

/** The oldest transaction of the whole server that has written anything: until it ends, no missing id is given up on. */
export interface GapOwner extends OpenWriter {
  /** Where it writes; `null` where this role may not see it. */
  readonly database: string | null
}

/** Any role may see that there is one; whose it is only those who may read other roles' statistics. */
export async function oldestGapOwner(pool: PgPool, timeoutMs?: number): Promise<GapOwner | null> {
  const [row] = await textRows(
    pool,
    `SELECT pid, gid, owner, application_name, state, extract(epoch FROM clock_timestamp() - since)::float8, datname FROM (
       SELECT backend_xid AS xid, pid, NULL AS gid, usename AS owner, application_name, state, xact_start AS since, datname
       FROM pg_stat_activity WHERE backend_xid IS NOT NULL
       UNION ALL
       SELECT transaction, NULL, gid, owner, NULL, NULL, prepared, database FROM pg_prepared_xacts) writing
     WHERE pid IS DISTINCT FROM pg_backend_pid() ORDER BY age(xid) DESC LIMIT 1`,
    [],
    timeoutMs,
  )
  if (row === undefined) return null
  return {
    pid: row[0] == null ? null : Number(row[0]),
    gid: row[1] ?? null,
    user: row[2] ?? null,
    application: row[3] || null,
    state: row[4] ?? null,
    ageSeconds: row[5] == null ? null : Number(row[5]),
    database: row[6] ?? null,
  }
}
