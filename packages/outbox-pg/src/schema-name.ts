import { ConfigError } from '@waybill/core'

export const DEFAULT_SCHEMA = 'waybill'

/** Longer ones leave no room for the NOTIFY channel, which PostgreSQL cuts at 63 bytes. */
const MAX_BYTES = 50

/**
 * The schema name, checked and quoted, ready to stand in SQL as an identifier. Quotes, dots and blanks are part of a name.
 * @throws {ConfigError} for a name that PostgreSQL can't have: empty, over 50 bytes, with U+0000, or with its own prefix `pg_`
 */
export function quoteSchema(schema: string = DEFAULT_SCHEMA): string {
  const bytes = typeof schema === 'string' ? Buffer.byteLength(schema) : 0
  if (bytes === 0 || bytes > MAX_BYTES || schema.includes('\0') || /\p{Cs}/u.test(schema) || schema.startsWith('pg_')) {
    throw new ConfigError(
      `schema ${JSON.stringify(schema)}: give 1 to ${MAX_BYTES} bytes of well-formed text without U+0000 that do not begin with pg_`,
    )
  }
  return quoteName(schema)
}

/** A name as an SQL identifier. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** A text as an SQL literal, whatever `standard_conforming_strings` says. */
export function quoteLiteral(text: string): string {
  const quoted = text.replaceAll("'", "''")
  return quoted.includes('\\') ? ` E'${quoted.replaceAll('\\', '\\\\')}'` : `'${quoted}'`
}
