import { adapterSuite, createFaultProxy, type Misconfigured } from '@waybill/core/testing'
import pg from 'pg'
import { afterAll, describe, it } from 'vitest'
import { testDatabase } from '../test-database.ts'
import type { PostgresOptions } from './options.ts'
import { postgres } from './transport.ts'

const PASSWORD = 'wrong:pass@word/%'

const proxy = await createFaultProxy({ target: process.env.DATABASE_URL! })
// idle connections of the pool are no handles that a client left behind
const database = await testDatabase({ max: 40, connectionString: proxy.url, allowExitOnIdle: true })
const { schema, pool } = database
afterAll(async () => {
  await database[Symbol.asyncDispose]()
  await proxy[Symbol.asyncDispose]()
})

adapterSuite({
  name: 'postgres',
  create: () => postgres({ pool, schema, listen: proxy.url }),
  hooks: {
    disconnect: async () => {
      const { rows } = await pool.query('select pg_backend_pid() as pid')
      await pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where application_name = $1 and pid <> $2 and pid <> pg_backend_pid()`,
        [schema, rows[0].pid],
      )
    },
    async isolate() {
      proxy.refuse()
      proxy.reset()
      return () => proxy.heal()
    },
    misconfigured: () => [
      wrong('a port where nobody listens', 'PostgreSQL not reached', (url) => (url.port = '1')),
      wrong('an unknown user', 'not allowed', (url) => {
        url.username = 'nobody'
        url.password = encodeURIComponent(PASSWORD)
      }),
      wrong('a schema without tables', 'migrate', () => {}, { schema: 'nowhere' }),
    ],
  },
  secrets: [PASSWORD],
  runner: { describe, it },
})

function wrong(
  what: string,
  names: string,
  change: (url: URL) => void,
  options: Partial<PostgresOptions> = {},
): Misconfigured {
  const url = new URL(process.env.DATABASE_URL!)
  change(url)
  return {
    what,
    names,
    create() {
      const own = new pg.Pool({ connectionString: url.toString() })
      own.on('error', () => {})
      const transport = postgres({ pool: own, ...options })
      const dispose = transport[Symbol.asyncDispose].bind(transport)
      transport[Symbol.asyncDispose] = async () => {
        await dispose()
        await own.end()
      }
      return transport
    },
  }
}
