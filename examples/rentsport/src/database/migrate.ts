import { migrate } from '@waybill/outbox-pg'
import { sql } from 'kysely'
import { Migrator, type Migration } from 'kysely/migration'
import type { Pool } from 'pg'
import { PAYMENT_MIGRATION } from '../payments/payment-migration.ts'
import { RENTAL_MIGRATION, SERVICES_MIGRATION } from './rental-migration.ts'
import { seed } from './seed.ts'
import type { Db } from './tables.ts'

/** In the order of their names; one that ran is never changed. */
const MIGRATIONS: Readonly<Record<string, string>> = {
  '0001-rentals': RENTAL_MIGRATION,
  '0002-services': SERVICES_MIGRATION,
  '0003-payments': PAYMENT_MIGRATION,
}

const run = (text: string): Migration => ({ up: async (db) => void (await sql.raw(text).execute(db)) })

/** Brings the library's tables and the example's own to the newest form, and fills an empty inventory. */
export async function migrateAll(pool: Pool, db: Db): Promise<void> {
  await migrate({ pool })
  const migrator = new Migrator({
    db,
    provider: {
      getMigrations: () =>
        Promise.resolve(Object.fromEntries(Object.entries(MIGRATIONS).map(([name, text]) => [name, run(text)]))),
    },
    migrationTableSchema: 'rentsport',
  })
  const { error } = await migrator.migrateToLatest()
  if (error !== undefined) throw error as Error
  await seed(db)
}
