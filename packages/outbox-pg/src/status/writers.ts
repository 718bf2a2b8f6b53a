import { textRows, type PgPool } from '../database.ts'
import { quoteLiteral } from '../schema-name.ts'

/** A transaction that has written to the outbox and has not ended: its messages wait for its COMMIT, and nothing else does. */
export interface OpenWriter {
  /** `null` for a prepared transaction, which has no process. */
  readonly pid: number | null
  /** Name of a prepared transaction. */
  readonly gid: string | null
  readonly user: string | null
  readonly application: string | null
  /** What its session does: `active`, `idle in transaction` …; `null` where this role may not see it. */
  readonly state: string | null
  readonly ageSeconds: number | null
}

/** Writers hold a lock on the table until they end, so that the lock table tells exactly who they are. */
export async function openWriters(pool: PgPool, schema: string, timeoutMs?: number): Promise<OpenWriter[]> {
  const rows = await textRows(
    pool,
    `SELECT l.pid, p.gid, coalesce(a.usename, p.owner), a.application_name, a.state,
       extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, p.prepared))::float8
     FROM (SELECT DISTINCT pid, virtualtransaction FROM pg_locks
       WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND granted
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
         AND relation = ${quoteLiteral(`${schema}.outbox`)}::regclass) l
     LEFT JOIN pg_stat_activity a ON a.pid = l.pid
     LEFT JOIN pg_locks t ON l.pid IS NULL AND t.virtualtransaction = l.virtualtransaction AND t.locktype = 'transactionid'
     LEFT JOIN pg_prepared_xacts p ON p.transaction = t.transactionid
     WHERE l.pid IS DISTINCT FROM pg_backend_pid()
     ORDER BY 6 DESC NULLS LAST LIMIT 5`,
    [],
    timeoutMs,
  )
  return rows.map((row) => ({
    pid: row[0] == null ? null : Number(row[0]),
    gid: row[1] ?? null,
    user: row[2] ?? null,
    application: row[3] || null,
    state: row[4] ?? null,
    ageSeconds: row[5] == null ? null : Number(row[5]),
  }))
}
