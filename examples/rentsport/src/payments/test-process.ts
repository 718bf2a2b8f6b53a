import { silentLogger } from '@waybill/core'
import { createOutbox, fromKysely } from '@waybill/outbox-pg'
import { Kysely, PostgresDialect } from 'kysely'
import { Pool } from 'pg'
import type { Tables } from '../database/tables.ts'
import { createPayments } from './payments.ts'
import { servePayments } from './serve-payments.ts'

/** Payments as a process that a test may kill. */
const { DATABASE_URL, GATEWAY_ADDRESS = '', PORT = '0' } = process.env
const pool = new Pool({ connectionString: DATABASE_URL, max: 10 })
const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
const payments = createPayments({
  db,
  outbox: createOutbox({ db: fromKysely(db), source: '/payments', transport: 'postgres' }),
  gatewayAddress: GATEWAY_ADDRESS,
  settle: () => Promise.resolve(),
  logger: silentLogger,
})
const server = await servePayments({ payments, port: Number(PORT), logger: silentLogger })
process.on('disconnect', () => process.exit(0))
process.stdout.write(`${JSON.stringify({ ready: true, port: server.port })}\n`)
