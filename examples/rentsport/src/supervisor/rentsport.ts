import { ConnectionError, createBus, TimeoutError, type Logger } from '@waybill/core'
import { parkedPg } from '@waybill/outbox-pg'
import { existsSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createCarriers } from '../carriers.ts'
import type { Config } from '../config.ts'
import { QuotePrice } from '../contracts/requests.ts'
import { migrateAll } from '../database/migrate.ts'
import { openDatabase, type Database } from '../database/open.ts'
import { processLogger } from '../log.ts'
import { askBranches } from '../rentals/branches.ts'
import { startBusinessClock } from '../rentals/business-time.ts'
import { unknownEquipment } from '../rentals/refusal.ts'
import { quotePrice } from '../rentals/quote.ts'
import { openPaymentClient } from '../web/payment-client.ts'
import { startServer } from '../web/server.ts'
import { lockDataFolder } from './data-lock.ts'
import { DatabaseWatch } from './database-watch.ts'
import { startEmbeddedPostgres } from './embedded-postgres.ts'
import type { PartReport } from './part-state.ts'
import { choosePort, freePort } from './ports.ts'
import { SupervisedProcess } from './supervised-process.ts'

export interface StartOptions {
  readonly config: Config
  say(line: string): void
  /** Ends the start; what was started is ended again. */
  readonly signal: AbortSignal
  /** What must be killed when there is no time for an orderly end. */
  readonly kills: Set<() => void>
}

export interface RentSport extends AsyncDisposable {
  readonly url: string
}

const READY_TIMEOUT_MS = 60_000
const MAX_CONNECTIONS = 15
const QUOTE_TIMEOUT_MS = 5_000
const PAGE_FOLDER = fileURLToPath(new URL('../../dist/page', import.meta.url))

/** Starts every part in turn and resolves when all work; `undefined` when the signal came first. */
export async function startRentSport({ config, say, signal, kills }: StartOptions): Promise<RentSport | undefined> {
  await using starting = new AsyncDisposableStack()
  const port = await choosePort(config.host, config.port)
  const grpcPort = await choosePort(config.host, config.grpcPort)
  if (!existsSync(PAGE_FOLDER)) say('the page is not built: run npm run build')

  const databaseUrl = config.databaseUrl ?? (await embedded(config, say, starting, kills))
  const logger = processLogger('rentsport')
  const database = starting.use(openDatabase(databaseUrl, MAX_CONNECTIONS, logger))
  await migrateAll(database.pool, database.db).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new ConnectionError(`the tables can't be brought up to date: ${reason}`, { cause })
  })
  await startBusinessClock(database.db, config.clockSpeed)
  if (signal.aborted) return undefined

  const gatewayPort = await freePort()
  const gatewayAddress = `127.0.0.1:${gatewayPort}`
  const supervise = (name: string, own: Readonly<Record<string, string>> = {}) => {
    const script = fileURLToPath(new URL(`../${name}/main.ts`, import.meta.url))
    const environment = { DATABASE_URL: databaseUrl, ...own }
    const child = new SupervisedProcess({ name, script, environment, signal, say })
    kills.add(() => child.kill())
    return child
  }
  const gateway = supervise('gateway', { GATEWAY_PORT: String(gatewayPort) })
  starting.defer(() => gateway.stop())
  const backend = supervise('backend', {
    GATEWAY_ADDRESS: gatewayAddress,
    HOST: config.host,
    GRPC_PORT: String(grpcPort),
  })
  const notifications = supervise('notifications')
  const reports = supervise('reports')
  // The gateway ends last: the backend may have a payment in hand.
  starting.defer(async () => void (await Promise.all([backend, notifications, reports].map((room) => room.stop()))))
  const rooms = { backend, gateway, notifications, reports }

  const asks = await startAsking(config, database, logger, starting)
  const payments = starting.use(
    openPaymentClient({ db: database.db, backendAddress: addressOf(config.host, grpcPort), gatewayAddress, logger }),
  )
  const watch = starting.use(new DatabaseWatch(database.pool))
  const health = () => [watch.report(), ...Object.values(rooms).flatMap((room) => room.report())]
  await untilHealthy(health, signal)
  if (signal.aborted) return undefined
  const server = await startServer(
    {
      database,
      ...asks,
      payments,
      logger,
      health,
      pageFolder: PAGE_FOLDER,
      pids: () => Object.fromEntries(Object.entries(rooms).map(([name, { pid }]) => [name, pid])),
    },
    config.host,
    port,
  )
  starting.use(server)
  say(`payments are taken by gRPC at ${addressOf(config.host, grpcPort)}`)
  const running = starting.move()
  const { host } = config
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

async function embedded(
  config: Config,
  say: (line: string) => void,
  starting: AsyncDisposableStack,
  kills: Set<() => void>,
): Promise<string> {
  starting.use(asAsync(lockDataFolder(config.dataDir)))
  say('starting the embedded PostgreSQL')
  const server = await startEmbeddedPostgres(config.dataDir, say)
  const kill = () => server.kill()
  kills.add(kill)
  starting.defer(async () => {
    await server.stop()
    kills.delete(kill)
  })
  return server.url
}

const asAsync = (disposable: Disposable): AsyncDisposable => ({
  [Symbol.asyncDispose]: () => Promise.resolve(disposable[Symbol.dispose]()),
})

/** What the web room writes and asks: its outbox, and requests over a bus of its own. */
async function startAsking(config: Config, database: Database, logger: Logger, starting: AsyncDisposableStack) {
  const { pool, db } = database
  const source = '/rentsport/web'
  const carriers = await createCarriers({ ...config, database, source, logger })
  const parked = parkedPg({ pool })
  const bus = starting.use(createBus({ transport: carriers.commands(), source, parked, logger }))
  return {
    outbox: carriers.outbox,
    parked: () => parked.list(),
    async quote(equipmentId: number, days: number) {
      // Asked here first: an answer that nothing is there needs no round through a broker.
      if ((await quotePrice(db, equipmentId, days)) === undefined) throw unknownEquipment(equipmentId)
      const { amount_minor, currency } = await bus.request(
        QuotePrice,
        { equipment_id: equipmentId, days },
        { timeoutMs: QUOTE_TIMEOUT_MS },
      )
      return { amount_minor, currency }
    },
    availability: (category: string) => askBranches(bus, db, category),
  }
}

async function untilHealthy(health: () => readonly PartReport[], signal: AbortSignal): Promise<void> {
  const deadlineMs = Date.now() + READY_TIMEOUT_MS
  for (;;) {
    const failing = health().filter(({ state }) => state !== 'up')
    if (failing.length === 0 || signal.aborted) return
    if (Date.now() > deadlineMs) {
      const what = failing.map(({ part, reason }) => `${part} (${reason ?? 'no reason given'})`).join(', ')
      throw new TimeoutError(`not ready within ${READY_TIMEOUT_MS / 1_000} s: ${what}`)
    }
    await delay(50)
  }
}

const addressOf = (host: string, port: number) => {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return reachable.includes(':') ? `[${reachable}]:${port}` : `${reachable}:${port}`
}
