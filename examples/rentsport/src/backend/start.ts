import { createBus, respond, UnrecoverableError, type Logger } from '@waybill/core'
import { parkedPg, startRelay } from '@waybill/outbox-pg'
import { createCarriers } from '../carriers.ts'
import { QuotePrice } from '../contracts/requests.ts'
import { openDatabase } from '../database/open.ts'
import { createPayments } from '../payments/payments.ts'
import { servePayments } from '../payments/serve-payments.ts'
import { openBranches } from '../rentals/branches.ts'
import { startExpiryWatch } from '../rentals/expiry-watch.ts'
import { quotePrice } from '../rentals/quote.ts'
import { settleRental } from '../rentals/settle.ts'
import { partsOf, PartState, type PartReport } from '../supervisor/part-state.ts'
import type { ChildRoom } from '../supervisor/run-child.ts'

export interface BackendOptions {
  readonly databaseUrl: string
  readonly gatewayAddress: string
  readonly host: string
  readonly grpcPort: number
  readonly amqpUrl: string | undefined
  readonly kafkaBrokers: readonly string[] | undefined
  readonly logger: Logger
}

const MAX_CONNECTIONS = 15

/** Rentals' time, payments, the relay of the outbox, and the answers to requests. */
export async function startBackend(options: BackendOptions): Promise<ChildRoom> {
  const { databaseUrl, gatewayAddress, host, grpcPort, logger } = options
  await using starting = new AsyncDisposableStack()
  const database = starting.use(openDatabase(databaseUrl, MAX_CONNECTIONS, logger))
  const { pool, db } = database
  const carriers = await createCarriers({ ...options, database, source: '/rentsport/backend' })
  const { outbox } = carriers

  const payments = starting.use(createPayments({ db, outbox, gatewayAddress, settle: settleRental, logger }))
  const transports = carriers.relayed()
  const relay =
    Object.keys(transports).length === 0
      ? undefined
      : starting.use(startRelay({ pool, outbox, transports, listen: databaseUrl }))
  const bus = starting.use(
    createBus({
      transport: carriers.commands(),
      source: '/rentsport/backend',
      parked: parkedPg({ pool }),
      logger,
    }),
  )
  await bus.subscribe('pricing', [
    respond(QuotePrice, async ({ equipment_id, days }) => {
      const price = await quotePrice(db, equipment_id, days)
      if (price === undefined) throw new UnrecoverableError(`there is no equipment ${equipment_id}`)
      return { equipment_id, days, ...price }
    }),
  ])
  await openBranches(bus, db)
  starting.use(startExpiryWatch({ db, outbox, logger }))
  const server = await servePayments({ payments, host, port: grpcPort, logger })
  starting.defer(() => server.stop({ drainTimeoutMs: 1_000 }))

  const gateway = new PartState('payment gateway link', 'not connected yet')
  const running = starting.move()
  return {
    async health(): Promise<readonly PartReport[]> {
      const { trouble } = payments
      if (trouble === undefined) gateway.up()
      else gateway.down(trouble)
      const [requests, relayed] = await Promise.all([bus.health(), relay?.health() ?? []])
      return [...partsOf('backend requests', requests), ...partsOf('backend relay', relayed), gateway.report()]
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}
