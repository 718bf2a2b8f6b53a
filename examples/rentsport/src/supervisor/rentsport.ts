import { ConnectionError, createBus, TimeoutError, type Logger } from '@waybill/core'
import { createInbox, fromKysely, parkedPg } from '@waybill/outbox-pg'
import { existsSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createCarriers } from '../carriers.ts'
import type { Config } from '../config.ts'
import { QuotePrice } from '../contracts/requests.ts'
import { migrateAll } from '../database/migrate.ts'
import { openDatabase, type Database } from '../database/open.ts'
import { processLogger } from '../log.ts'
import { startNotifications } from '../notifications/room.ts'
import { askBranches } from '../rentals/branches.ts'
import { startBusinessClock } from '../rentals/business-time.ts'
import { unknownEquipment } from '../rentals/refusal.ts'
import { quotePrice } from '../rentals/quote.ts'
import { startReports } from '../reports/room.ts'
import { openPaymentClient } from '../web/payment-client.ts'
import { startServer } from '../web/server.ts'
import { lockDataFolder } from './data-lock.ts'
import { DatabaseWatch } from './database-watch.ts'
import { startEmbeddedPostgres } from './embedded-postgres.ts'
import { partsOf, type PartReport } from './part-state.ts'
import { choosePort, freePort } from './ports.ts'
import { RoomWatch } from './room-watch.ts'
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
const MAX_CONNECTIONS = 20
const QUOTE_TIMEOUT_MS = 5_000
const PAGE_FOLDER = fileURLToPath(new URL('../../dist/page', import.meta.url))
const script = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** Starts every part in turn and resolves when all work; `undefined` when the signal came first. */
export async function startRentSport({ config, say, signal, kills }: StartOptions): Promise<RentSport | undefined> {
  await using starting = new AsyncDisposableStack()
  const port = await choosePort(config.host, config.port)
  const grpcPort = await choosePort(config.host, config.grpcPort)
  if (!existsSync(PAGE_FOLDER)) say('the page is not built: run npm run build')

  const databaseUrl = config.databaseUrl ?? (await embedded(config, say, starting, kills))
  const logger = processLogger('rentsport')
  const database = starting.use(
    openDatabase(databaseUrl, MAX_CONNECTIONS, (error) => logger.warn({ error }, 'a database connection was lost')),
  )
  await migrateAll(database.pool, database.db).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new ConnectionError(`the tables can't be brought up to date: ${reason}`, { cause })
  })
  await startBusinessClock(database.db, config.clockSpeed)
  if (signal.aborted) return undefined

  const gatewayPort = await freePort()
  const gatewayAddress = `127.0.0.1:${gatewayPort}`
  const supervise = (name: string, path: string, environment: Record<string, string>) => {
    const child = new SupervisedProcess({ name, script: script(path), environment, signal, say })
    const kill = () => child.kill()
    kills.add(kill)
    starting.defer(async () => {
      await child.stop()
      kills.delete(kill)
    })
    return child
  }
  const gateway = supervise('gateway', '../gateway/main.ts', {
    DATABASE_URL: databaseUrl,
    GATEWAY_PORT: String(gatewayPort),
  })
  const backend = supervise('backend', '../backend/main.ts', {
    DATABASE_URL: databaseUrl,
    GATEWAY_ADDRESS: gatewayAddress,
    HOST: config.host,
    GRPC_PORT: String(grpcPort),
  })

  const rooms = await startRooms(config, database, logger, starting)
  const payments = starting.use(
    openPaymentClient({ db: database.db, backendAddress: addressOf(config.host, grpcPort), gatewayAddress, logger }),
  )
  const watch = starting.use(new DatabaseWatch(database.pool))
  const health = () => [watch.report(), ...backend.report(), ...gateway.report(), ...rooms.health()]
  await untilHealthy(health, signal)
  if (signal.aborted) return undefined
  const server = await startServer(
    {
      database,
      outbox: rooms.outbox,
      payments,
      logger,
      quote: rooms.quote,
      availability: rooms.availability,
      parked: rooms.parked,
      health,
      pageFolder: PAGE_FOLDER,
      pids: () => ({ backend: backend.pid, gateway: gateway.pid }),
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

/** The services that live in this process, each with a bus of its own. */
async function startRooms(config: Config, database: Database, logger: Logger, starting: AsyncDisposableStack) {
  const { pool, db } = database
  const carriers = createCarriers({ ...config, database, source: '/rentsport/web', logger })
  const parked = parkedPg({ pool })
  const inbox = starting.use(createInbox({ db: fromKysely(db) }))
  inbox.startSweeping()
  const notifications = starting.use(
    await startNotifications({ ...config, transport: carriers.commands(), inbox, parked, logger }),
  )
  const reports = starting.use(await startReports({ transport: carriers.events(), inbox, parked, logger }))
  const bus = starting.use(createBus({ transport: carriers.commands(), source: '/rentsport/web', parked, logger }))
  const watches = [
    starting.use(new RoomWatch('notifications', async () => partsOf('notifications', await notifications.health()))),
    starting.use(new RoomWatch('reports', async () => partsOf('reports', await reports.health()))),
  ]
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
    health: () => watches.flatMap((watch) => watch.report()),
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
