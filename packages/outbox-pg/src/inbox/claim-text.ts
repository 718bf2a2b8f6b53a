import { crc32 } from 'node:zlib'

/** What the statements that write inbox rows have in common. */
interface Rows {
  /** SQL of handler, key and hash. */
  readonly columns: string
  /** Whether `$5` is the time for which a key counts. */
  readonly windowed: boolean
}

/** SQL of the number of a message's advisory lock, which all schemas of a database share: schema, service, handler and key. */
const lockNumber = (schema: string): string =>
  `hashtextextended($3, hashtextextended($2, hashtextextended($1, ${crc32(schema)})))`

/** SQL of a column that waits for the lock of one message. */
export const waitForLock = (schema: string): string => `pg_advisory_xact_lock(${lockNumber(schema)})`

/**
 * The statement that writes the inbox row of one message, unless another transaction is at it: it never waits for one that
 * claims in the same way. `$1` is the service, `$2` the handler, `$3` the key.
 * @param schema quoted
 * @param bold fails where the row is there, which costs less than to look whether it is
 */
export function quickClaimText(schema: string, { columns, windowed }: Rows, bold: boolean): string {
  return `INSERT INTO ${schema}.inbox AS row (service, handler, key, content_hash)
    SELECT $1, ${columns}
    WHERE pg_try_advisory_xact_lock(${lockNumber(schema)})
    ${bold ? '' : `ON CONFLICT (service, handler, scope, key) DO ${renewal(windowed)}`}
    RETURNING 1`
}

/**
 * The statement that writes inbox rows and waits for who is at them: `$1` is the service, the last parameter the lock
 * time-out. A second copy waits here until
 * the first commits or rolls back. The lock time-out holds for this one statement: RETURNING puts the session's own back.
 * @param schema quoted
 */
export function claimText(
  schema: string,
  given: Rows & {
    /** What is waited for before: SQL of a column. */
    readonly before?: string
    /** Where they come from beside `wait`: SQL that begins with a comma. */
    readonly from?: string
    /** SQL behind the condition. */
    readonly order?: string
    /** What is told of each fresh row: SQL that ends with a comma. */
    readonly told?: string
  },
): string {
  const { columns, windowed, before = 'NULL', from = '', order = '', told = '' } = given
  return `WITH wait AS MATERIALIZED (
      SELECT current_setting('lock_timeout') AS before, set_config('lock_timeout', $${windowed ? 6 : 5}, true) AS now,
        ${before} AS waited)
    INSERT INTO ${schema}.inbox AS row (service, handler, key, content_hash)
    SELECT $1, ${columns} FROM wait${from} WHERE now IS NOT NULL ${order}
    ON CONFLICT (service, handler, scope, key) DO ${renewal(windowed)}
    RETURNING ${told} (SELECT set_config('lock_timeout', before, true) FROM wait) AS restored`
}

function renewal(windowed: boolean): string {
  if (!windowed) return 'NOTHING'
  return `UPDATE SET handled_at = now(), content_hash = excluded.content_hash, reply = NULL
       WHERE row.handled_at < now() - $5::float8 * interval '1 ms'`
}
