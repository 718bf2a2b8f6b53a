import { Pool } from 'pg'
import { processLogger } from '../log.ts'
import { runChild } from '../supervisor/run-child.ts'
import { Ledger } from './ledger.ts'
import { serveGateway } from './serve-gateway.ts'

const logger = processLogger('gateway')

/** The payment gateway as a process of its own: DATABASE_URL for its books, GATEWAY_PORT to listen on (0: any). */
await runChild(async () => {
  const { DATABASE_URL, GATEWAY_PORT = '0' } = process.env
  if (DATABASE_URL === undefined) throw new Error('DATABASE_URL is not set: the gateway keeps its books in PostgreSQL')
  const pool = new Pool({ connectionString: DATABASE_URL, max: 5, connectionTimeoutMillis: 5_000 })
  pool.on('error', (error) => logger.warn({ error }, 'a connection to the books was lost'))
  const ledger = new Ledger(pool)
  await ledger.open()
  const server = await serveGateway({ ledger, address: `127.0.0.1:${GATEWAY_PORT}`, logger })
  process.stdout.write(`${JSON.stringify({ ready: true, room: 'gateway', port: server.port, pid: process.pid })}\n`)
  const startedAtMs = Date.now()
  return {
    health: async () => {
      try {
        await pool.query('select 1')
        return [{ part: 'gateway ledger', state: 'up', sinceMs: startedAtMs }]
      } catch (error) {
        return [{ part: 'gateway ledger', state: 'down', sinceMs: startedAtMs, reason: String(error) }]
      }
    },
    async [Symbol.asyncDispose]() {
      await server.stop({ drainTimeoutMs: 1_500 })
      await pool.end()
    },
  }
})
