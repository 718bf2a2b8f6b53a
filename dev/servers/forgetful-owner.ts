// For servers.broker.test.ts: starts a server, tells of it, and never stops it.
import pg from 'pg'
import { startPostgres } from './index.ts'

const server = await startPostgres({ direct: true })
const client = new pg.Client(server.url)
await client.connect()
const { rows } = await client.query<{ data_directory: string }>('show data_directory')
await client.end()
process.stdout.write(JSON.stringify({ pid: server.pid, folder: rows[0]?.data_directory.replace(/\/data$/, '') }))
setInterval(() => {}, 1 << 30)
