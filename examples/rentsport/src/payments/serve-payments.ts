import { bidi, serve, type StreamCall, type StreamServer } from '@waybill/adapter-grpc'
import { ValidationError, type Logger } from '@waybill/core'
import { PaymentService, type PaymentRequest, type PaymentStatus } from '../contracts/payment.ts'
import type { Payments } from './payments.ts'

export interface ServePaymentsOptions {
  readonly payments: Payments
  /** @default '127.0.0.1' */
  readonly host?: string | undefined
  /** 0 takes a free one. */
  readonly port: number
  readonly logger: Logger
}

/** Payments of one stream under way at once; further requests are read when one of them ended. */
const MAX_AT_ONCE = 1_000
/** What goes back of an id that is refused for its length. */
const MAX_ECHO = 1_000

/** `PaymentService` for the world: many payments share a stream, a bad request fails alone and leaves the stream open. */
export function servePayments({
  payments,
  host = '127.0.0.1',
  port,
  logger,
}: ServePaymentsOptions): Promise<StreamServer> {
  const processPayment = bidi(
    PaymentService,
    'ProcessPayment',
    async (requests, call) => {
      const following = new Set<Promise<void>>()
      let fail!: (error: unknown) => void
      const failed = new Promise<never>((_, reject) => (fail = reject))
      const read = async () => {
        for await (const request of requests) {
          const done = follow(payments, request, call)
            .catch(fail)
            .finally(() => following.delete(done))
          following.add(done)
          while (following.size >= MAX_AT_ONCE) await Promise.race(following)
        }
        await Promise.all(following)
      }
      // Trouble with one payment (the database is away) ends the stream at once: its client resumes.
      await Promise.race([read(), failed])
    },
    {
      onInvalid: (error, call, raw) =>
        call.send(refusal((raw as Partial<PaymentRequest> | undefined)?.payment_id, error)),
    },
  )
  return serve({ address: `${host}:${port}`, services: [processPayment], logger })
}

async function follow(payments: Payments, request: PaymentRequest, call: StreamCall<PaymentStatus>): Promise<void> {
  const { payment_id } = request
  try {
    await payments.accept(request)
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error
    return call.send(refusal(payment_id, error))
  }
  for await (const { status, message } of payments.watch(payment_id, call.signal)) {
    await call.send({ payment_id, status, message })
  }
}

function refusal(paymentId: unknown, error: Error): PaymentStatus {
  const payment_id = typeof paymentId === 'string' ? paymentId.slice(0, MAX_ECHO) : ''
  return { payment_id, status: 'FAILED', message: error.message }
}
