import { createFaultProxy, type SuiteHooks } from '@waybill/core/testing'
import type { Transport } from '@waybill/core'
import { migrate, postgres } from '@waybill/outbox-pg'
import pg from 'pg'
import { startPostgres } from '../servers/index.ts'
import { processOf, type FaultRig } from './rig.ts'

const LEASE_MS = 2_000
/** A lease is renewed over the line that it is about: on a slow one it has to last some round trips. */
const SLOW_LINE_LEASE_MS = 10_000
const POOL = 5
/** PostgreSQL knows no heartbeat: it is asked, and has to answer within this time. */
const ANSWER_MS = 5_000

/** PostgreSQL as a carrier on a cluster of its own. */
export async function postgresRig(): Promise<FaultRig> {
  const server = await startPostgres({ direct: true })
  const administrator = new pg.Pool({ connectionString: server.url, max: 1, idleTimeoutMillis: 500 })
  administrator.on('error', () => {})
  await migrate({ pool: administrator })
  await administrator.query('create role suite superuser login')
  const url = new URL(server.url)
  url.username = 'suite'
  const endSessions = async () => {
    await administrator.query(`select pg_terminate_backend(pid) from pg_stat_activity where usename = 'suite'`)
  }
  const hooks: SuiteHooks = {
    broker: {
      restart: () => server.restart(),
      kill: () => server.kill(),
      pause: () => server.freeze(),
      resume: () => server.resume(),
    },
    credentials: {
      async revoke() {
        await administrator.query('alter role suite nologin')
        await endSessions()
      },
      restore: async () => void (await administrator.query('alter role suite login')),
    },
    process: processOf('postgres-consumer.ts', {
      environment: { BROKER_URL: url.href, LEASE_MS: String(LEASE_MS) },
      takeoverMs: LEASE_MS,
    }),
    async proxied() {
      const proxy = await createFaultProxy({ target: url.href })
      return {
        proxy,
        transport: clientOf(proxy.url, SLOW_LINE_LEASE_MS),
        detectsWithinMs: ANSWER_MS,
        maxConnections: POOL,
      }
    },
    closeChannels: endSessions,
  }
  return {
    suite: { name: 'postgres', create: () => clientOf(url.href, LEASE_MS), hooks },
    async [Symbol.asyncDispose]() {
      await administrator.end()
      await server[Symbol.asyncDispose]()
    },
  }
}

/** Each client has a pool of its own, as each process would; it ends with its client. */
function clientOf(connectionString: string, leaseMs: number): Transport {
  const pool = new pg.Pool({ connectionString, max: POOL, connectionTimeoutMillis: ANSWER_MS, keepAlive: true })
  const transport = postgres({ pool, leaseMs })
  const dispose = transport[Symbol.asyncDispose].bind(transport)
  let ended: Promise<void> | undefined
  transport[Symbol.asyncDispose] = () => (ended ??= Promise.resolve(dispose()).finally(() => pool.end()))
  return transport
}
