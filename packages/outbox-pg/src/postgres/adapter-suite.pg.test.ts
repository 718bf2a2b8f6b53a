import { adapterSuite } from '@waybill/core/testing'
import { afterAll, describe, it } from 'vitest'
import { testDatabase } from '../test-database.ts'
import { postgres } from './transport.ts'

const database = await testDatabase({ max: 40 })
afterAll(() => database[Symbol.asyncDispose]())

adapterSuite({
  name: 'postgres',
  create: () => postgres({ pool: database.pool, schema: database.schema, listen: database.connectionString }),
  hooks: {
    disconnect: async () => {
      const { rows } = await database.pool.query('select pg_backend_pid() as pid')
      await database.pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where application_name = $1 and pid <> $2 and pid <> pg_backend_pid()`,
        [database.schema, rows[0].pid],
      )
    },
  },
  runner: { describe, it },
})
