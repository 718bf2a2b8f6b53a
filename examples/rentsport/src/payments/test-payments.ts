import { type Client, credentials, loadPackageDefinition } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { silentLogger } from '@waybill/core'
import { createOutbox, fromKysely, migrate } from '@waybill/outbox-pg'
import { Kysely, PostgresDialect } from 'kysely'
import { fork, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Pool } from 'pg'
import type { PaymentRequest, PaymentStatus } from '../contracts/payment.ts'
import type { Tables } from '../database/tables.ts'
import type { Delays } from '../gateway/charge-runs.ts'
import { Ledger } from '../gateway/ledger.ts'
import { serveGateway } from '../gateway/serve-gateway.ts'
import type { PaymentOutcome } from '../rentals/settle.ts'
import { PAYMENT_MIGRATION } from './payment-migration.ts'
import { createPayments, type PaymentsOptions } from './payments.ts'
import { servePayments } from './serve-payments.ts'

/** A database of its own on the test server, with every table that payments need; for tests alone. */
export async function paymentDatabase() {
  const server = process.env.DATABASE_URL
  if (server === undefined) throw new Error('DATABASE_URL is not set: run npm test, or set it')
  const name = `payments_${randomUUID().replaceAll('-', '').slice(0, 12)}`
  const admin = new Pool({ connectionString: server, max: 1 })
  await admin.query(`create database ${name}`)
  const address = new URL(server)
  address.pathname = name
  const url = address.href
  const pool = new Pool({ connectionString: url, max: 10 })
  pool.on('error', () => undefined)
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
  await migrate({ pool })
  await pool.query(PAYMENT_MIGRATION)
  return {
    url,
    pool,
    db,
    async [Symbol.asyncDispose]() {
      await db.destroy()
      await admin.query(`drop database ${name} with (force)`)
      await admin.end()
    },
  }
}

export type PaymentDatabase = Awaited<ReturnType<typeof paymentDatabase>>

const quick: Delays = { processingMs: 20, validatingMs: 20, decisionMs: 20 }

/** The gateway in this process. */
export async function gatewayHere({ pool }: PaymentDatabase, delays: Delays = quick) {
  const ledger = new Ledger(pool)
  await ledger.open()
  const server = await serveGateway({ ledger, address: '127.0.0.1:0', logger: silentLogger, delays })
  return {
    address: `127.0.0.1:${server.port}`,
    ledger,
    async [Symbol.asyncDispose]() {
      await server.stop({ drainTimeoutMs: 0 })
    },
  }
}

/** A room as a process of its own, which may be killed and started again on the same port. */
async function roomProcess(script: string, environment: (port: number) => Readonly<Record<string, string>>) {
  const path = fileURLToPath(new URL(script, import.meta.url))
  const start = async (port: number) => {
    const env = { ...process.env, ...environment(port) }
    const child = fork(path, [], { env, execArgv: [], stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
    const [line] = (await Promise.race([
      once(child.stdout!, 'data'),
      once(child, 'exit').then(([code]) => Promise.reject(new Error(`${script} ended with ${code}`))),
    ])) as [Buffer]
    const ready = JSON.parse(line.toString()) as { port: number }
    return { child, port: ready.port }
  }
  let { child, port } = await start(0)
  const kill = async (signal: NodeJS.Signals) => {
    const exited = once(child, 'exit')
    child.kill(signal)
    return exited as Promise<[code: number | null, signal: string | null]>
  }
  return {
    address: `127.0.0.1:${port}`,
    get child(): ChildProcess {
      return child
    },
    kill,
    async restart() {
      ;({ child, port } = await start(port))
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) await kill('SIGKILL')
    },
  }
}

export const gatewayProcess = ({ url }: PaymentDatabase) =>
  roomProcess('../gateway/main.ts', (port) => ({ DATABASE_URL: url, GATEWAY_PORT: String(port) }))

export const paymentsProcess = ({ url }: PaymentDatabase, gatewayAddress: string) =>
  roomProcess('./test-process.ts', (port) => ({
    DATABASE_URL: url,
    GATEWAY_ADDRESS: gatewayAddress,
    PORT: String(port),
  }))

/** The backend's payments with their gRPC server. */
export async function backend({ db }: PaymentDatabase, gatewayAddress: string, given: Partial<PaymentsOptions> = {}) {
  const outcomes: PaymentOutcome[] = []
  const settle: PaymentsOptions['settle'] = (_trx, _messages, outcome) => Promise.resolve(void outcomes.push(outcome))
  const outbox = createOutbox({ db: fromKysely(db), source: '/payments', transport: 'postgres' })
  const payments = createPayments({ db, outbox, gatewayAddress, settle, logger: silentLogger, ...given })
  const server = await servePayments({ payments, port: 0, logger: silentLogger })
  return {
    payments,
    outbox,
    outcomes,
    address: `127.0.0.1:${server.port}`,
    async [Symbol.asyncDispose]() {
      await server.stop({ drainTimeoutMs: 0 })
      await payments[Symbol.asyncDispose]()
    },
  }
}

/** Somebody outside who knows nothing but `payment.proto`. */
export function outsider(address: string) {
  const proto = fileURLToPath(new URL('../contracts/payment.proto', import.meta.url))
  const loaded = loadPackageDefinition(loadSync(proto, { keepCase: true, defaults: true }))
  const Service = loaded.PaymentService as unknown as new (...args: ConstructorParameters<typeof Client>) => Client & {
    ProcessPayment(): ReturnType<Client['makeBidiStreamRequest']>
  }
  const client = new Service(address, credentials.createInsecure())
  return {
    open() {
      const call = client.ProcessPayment()
      const seen: (PaymentStatus & { readonly atMs: number })[] = []
      const wakes = new Set<() => void>()
      call.on('data', (status: PaymentStatus) => {
        seen.push({ ...status, atMs: performance.now() })
        for (const wake of wakes) wake()
      })
      const ended = new Promise<Error | undefined>((resolve) => {
        call.on('error', resolve)
        call.on('end', () => resolve(undefined))
      })
      return {
        seen,
        ended,
        call,
        pay: (request: PaymentRequest) => void call.write(request),
        /** Resolves when what was seen is enough. */
        async until(enough: (statuses: readonly PaymentStatus[]) => boolean): Promise<void> {
          while (!enough(seen)) {
            await new Promise<void>((resolve) => {
              const wake = () => {
                wakes.delete(wake)
                resolve()
              }
              wakes.add(wake)
            })
          }
        },
      }
    },
    close: () => client.close(),
    [Symbol.dispose]: () => client.close(),
  }
}

export const SUCCESS = 'card:4242424242424242'

export const order = (given: Partial<PaymentRequest> = {}): PaymentRequest => ({
  payment_id: randomUUID(),
  user_id: 'anna',
  amount: 19.99,
  currency: 'EUR',
  payment_method: SUCCESS,
  ...given,
})

export const isFinal = ({ status }: PaymentStatus) => status === 'COMPLETED' || status === 'FAILED'
/** So many payments ended. */
export const finals = (count: number) => (seen: readonly PaymentStatus[]) => seen.filter(isFinal).length >= count
export const words = (seen: readonly PaymentStatus[], paymentId?: string) =>
  seen.filter(({ payment_id }) => paymentId === undefined || payment_id === paymentId).map(({ status }) => status)
