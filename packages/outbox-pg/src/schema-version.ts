import { ConfigError } from '@waybill/core'
import { textRows, type PgPool } from './database.ts'

/** The release of readers that this code is; `meta.min_relay` shuts older ones out once a migration took away what they need. */
export const READER_VERSION = 2

/** The oldest tables that this code reads and writes. */
export const OLDEST_SCHEMA_VERSION = 4

/** SQL that is true where these tables and this code fit each other. `schema` is quoted. */
export const schemaFits = (schema: string): string =>
  `EXISTS (SELECT FROM ${schema}.meta WHERE min_relay <= ${READER_VERSION} AND schema_version >= ${OLDEST_SCHEMA_VERSION})`

/** `schema` is quoted. */
export const missingTablesText = (schema: string): string =>
  `the tables in schema ${schema} are missing: run "waybill-outbox migrate" or migrate({ pool }), or give the schema that has them`

/** @throws {ConfigError} where the tables are missing, older than this code needs, or newer than it may work on */
export async function checkSchemaVersion(pool: PgPool, schema: string, timeoutMs?: number): Promise<void> {
  const text = `SELECT schema_version, min_relay FROM ${schema}.meta`
  const rows = await textRows(pool, text, [], timeoutMs).catch((cause: unknown) => {
    const { code } = cause as { code?: unknown }
    if (code !== '42P01' && code !== '3F000') throw cause
    throw new ConfigError(missingTablesText(schema), { cause })
  })
  const [version, minimum] = (rows[0] ?? ['0', '1']).map(Number) as [number, number]
  if (version < OLDEST_SCHEMA_VERSION) {
    throw new ConfigError(
      `schema ${schema} is at version ${version}, and this release needs ${OLDEST_SCHEMA_VERSION}: run "waybill-outbox migrate"`,
    )
  }
  if (minimum > READER_VERSION) {
    throw new ConfigError(
      `schema ${schema} takes readers of version ${minimum} or later, and this one is ${READER_VERSION}: update @waybill/outbox-pg`,
    )
  }
}
