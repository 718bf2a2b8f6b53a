import { silentLogger } from '@waybill/core'
import { createOutbox, fromKysely } from '@waybill/outbox-pg'
import { randomUUID } from 'node:crypto'
import { Pool } from 'pg'
import { migrateAll } from './migrate.ts'
import { openDatabase } from './open.ts'

/** A new database on the test server; for tests alone. */
export async function newDatabase() {
  const server = process.env.DATABASE_URL
  if (server === undefined) throw new Error('DATABASE_URL is not set: run npm test, or set it')
  const name = `rentsport_${randomUUID().replaceAll('-', '').slice(0, 12)}`
  const admin = new Pool({ connectionString: server, max: 1 })
  await admin.query(`create database ${name}`)
  const address = new URL(server)
  address.pathname = name
  return {
    url: address.href,
    async [Symbol.asyncDispose]() {
      await admin.query(`drop database ${name} with (force)`)
      await admin.end()
    },
  }
}

/** The same with all tables and the inventory, and an outbox that names its brokers in the rows. */
export async function rentSportDatabase() {
  const empty = await newDatabase()
  const database = openDatabase(empty.url, 12, silentLogger)
  await migrateAll(database.pool, database.db)
  const outbox = createOutbox({ db: fromKysely(database.db), source: '/test', transport: 'postgres' })
  return {
    ...database,
    outbox,
    async [Symbol.asyncDispose]() {
      await database[Symbol.asyncDispose]()
      await empty[Symbol.asyncDispose]()
    },
  }
}
