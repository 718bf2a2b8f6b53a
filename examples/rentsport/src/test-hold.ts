import { Client } from 'pg'

/** Holds tables: who writes to one waits, in the middle of a transaction, and readers go on. For tests alone. */
export async function holdTables(databaseUrl: string, tables: readonly string[]) {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  await client.query('begin')
  await client.query(`lock table ${tables.join(', ')} in exclusive mode`)
  return {
    /** Those that somebody waits for. */
    async awaited(): Promise<readonly string[]> {
      const { rows } = await client.query<{ name: string }>(
        `select distinct relation::regclass::text as name from pg_locks
         where not granted and relation = any($1::text[]::regclass[])`,
        [tables],
      )
      return rows.map(({ name }) => name)
    },
    [Symbol.asyncDispose]: () => client.end(),
  }
}
