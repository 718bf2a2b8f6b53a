import { ConfigError } from '@waybill/core'

export const DEFAULT_SCHEMA = 'waybill'

/**
 * The schema name, checked against an allow-list and quoted, ready to stand in SQL.
 * @throws {ConfigError} for a name that is not letters, digits and underscores
 */
export function quoteSchema(schema: string = DEFAULT_SCHEMA): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,50}$/.test(schema)) {
    throw new ConfigError(
      `schema ${JSON.stringify(schema)}: give 1 to 51 letters, digits or underscores, the first no digit`,
    )
  }
  return `"${schema}"`
}
