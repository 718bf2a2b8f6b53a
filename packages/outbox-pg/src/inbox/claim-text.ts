/**
 * The statement that writes inbox rows, as first of a transaction: `$1` is the service, `$5` the lock time-out, `$6` the
 * window where there is one. A second copy waits here until the first commits or rolls back. The lock time-out holds for
 * this one statement: RETURNING puts the session's own back.
 * @param schema quoted
 */
export function claimText(
  schema: string,
  given: {
    /** SQL of handler, key and hash. */
    readonly columns: string
    /** Where they come from beside `wait`: SQL that begins with a comma. */
    readonly from?: string
    /** SQL behind the condition. */
    readonly order?: string
    /** What is told of each fresh row: SQL that ends with a comma. */
    readonly told?: string
    readonly windowed: boolean
  },
): string {
  const { columns, from = '', order = '', told = '', windowed } = given
  const renew = windowed
    ? `UPDATE SET handled_at = now(), content_hash = excluded.content_hash, reply = NULL
       WHERE row.handled_at < now() - $6::float8 * interval '1 ms'`
    : 'NOTHING'
  return `WITH wait AS MATERIALIZED (
      SELECT current_setting('lock_timeout') AS before, set_config('lock_timeout', $5, true) AS now)
    INSERT INTO ${schema}.inbox AS row (service, handler, key, content_hash)
    SELECT $1, ${columns} FROM wait${from} WHERE now IS NOT NULL ${order}
    ON CONFLICT (service, handler, scope, key) DO ${renew}
    RETURNING ${told} (SELECT set_config('lock_timeout', before, true) FROM wait) AS restored`
}
