import { createChannel } from '@waybill/adapter-grpc'
import { ConnectionError, type Logger } from '@waybill/core'
import { PaymentService, type PaymentRequest } from '../contracts/payment.ts'
import type { Db } from '../database/tables.ts'
import { openGatewayLink } from '../payments/gateway-link.ts'
import { amountOf } from '../payments/money.ts'
import type { PaymentDb } from '../payments/payment-tables.ts'
import { StatusFeed } from '../payments/status-feed.ts'
import { createPayment } from '../payments/store.ts'
import type { Rental } from '../rentals/book.ts'
import { Refusal } from '../rentals/refusal.ts'
import type { LiveStatus, PaymentService as Payments } from './services.ts'

export interface PaymentClientOptions {
  readonly db: Db
  /** `host:port` of the backend's `PaymentService`. */
  readonly backendAddress: string
  /** `host:port` of the gateway, for its ledger. */
  readonly gatewayAddress: string
  readonly logger: Logger
}

/** The time that a payment has until the backend first hears of it; then the backend's own counts. */
const FIRST_TIMEOUT_MS = 10_000
/** Payments of people who look on; those beyond are found by the backend within half a second. */
const MAX_FOLLOWED = 5_000

/** Payments as the web room sees them: started and followed over `ProcessPayment`, read again from what was stored. */
export function openPaymentClient(options: PaymentClientOptions): Payments & AsyncDisposable {
  const { backendAddress, gatewayAddress, logger } = options
  const db = options.db as unknown as PaymentDb
  const feed = new StatusFeed(db)
  const followed = new Map<string, PaymentRequest>()
  const closed = new AbortController()
  const gateway = openGatewayLink({ address: gatewayAddress, onAnswer: () => undefined, logger })
  const channel = createChannel({ address: backendAddress, logger })
  const stream = channel.resuming(PaymentService, 'ProcessPayment', {
    maxMs: 500,
    signal: closed.signal,
    // The same id twice is the same payment: the backend tells its statuses again.
    resume: async ({ send }) => {
      for (const request of followed.values()) await send(request)
    },
  })
  const reading = (async () => {
    for await (const { payment_id, status } of stream) {
      if (status === 'COMPLETED' || status === 'FAILED') followed.delete(payment_id)
      feed.changed(payment_id)
    }
  })().catch((error: unknown) => {
    if (!closed.signal.aborted) logger.error({ error }, 'payments are not followed any more')
  })

  return {
    async register(trx, rental, payment_method) {
      const { payment_id, id, user_id, amount_minor, currency } = rental
      const order = { payment_id, rental_id: id, user_id: String(user_id), amount_minor, currency, payment_method }
      const created = await createPayment(trx, order, FIRST_TIMEOUT_MS)
      if (created !== 'created') throw new Refusal(409, 'PAYMENT_EXISTS', `payment ${payment_id} exists already`)
    },
    start(rental: Rental, payment_method: string) {
      if (followed.size >= MAX_FOLLOWED) return
      const { payment_id, user_id, amount_minor, currency } = rental
      const request = { payment_id, user_id: String(user_id), amount: amountOf(amount_minor), currency, payment_method }
      followed.set(payment_id, request)
      stream.send(request).catch((error: unknown) => {
        if (!(error instanceof ConnectionError)) logger.warn({ error }, 'a payment is not followed')
      })
    },
    async watch(paymentId, afterNumber, signal) {
      const payment = await db
        .selectFrom('rentsport.payment')
        .select(['status', 'number'])
        .where('id', '=', paymentId)
        .executeTakeFirst()
      if (payment === undefined) return undefined
      const final = payment.status === 'COMPLETED' || payment.status === 'FAILED'
      if (final && payment.number <= afterNumber) return nothing()
      return after(feed.watch(paymentId, signal), afterNumber)
    },
    charges: (paymentId) => gateway.charges(paymentId),
    async [Symbol.asyncDispose]() {
      closed.abort(new Error('the web room is closed'))
      channel.close()
      await Promise.all([reading, gateway[Symbol.asyncDispose]()])
    },
  }
}

async function* nothing(): AsyncGenerator<LiveStatus> {}

async function* after(statuses: AsyncIterable<LiveStatus>, afterNumber: number): AsyncGenerator<LiveStatus> {
  for await (const status of statuses) if (status.number > afterNumber) yield status
}
