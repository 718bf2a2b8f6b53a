import pg from 'pg'

const CONNECT_MS = 5_000

/** Resolves once a statement was answered there. */
export async function answersSql(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: CONNECT_MS })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('select 1')
  } finally {
    await client.end().catch(() => {})
  }
}
