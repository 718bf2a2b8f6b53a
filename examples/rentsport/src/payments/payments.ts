import { sleep, systemPorts, ValidationError, type Logger } from '@waybill/core'
import type { PaymentRequest } from '../contracts/payment.ts'
import type { PaymentStatusWord } from '../contracts/words.ts'
import type { Db } from '../database/tables.ts'
import type { Charge, GatewayAnswer } from '../gateway/contract.ts'
import type { RentalOutbox, RentalTransaction } from '../rentals/rental-outbox.ts'
import { openGatewayLink, type GatewayLink } from './gateway-link.ts'
import { Lanes } from './lanes.ts'
import { fingerprintOf, paymentMethod, paymentOrder, type PaymentOrder } from './payment-order.ts'
import type { PaymentDb, PaymentTables } from './payment-tables.ts'
import { Slots } from './slots.ts'
import { StatusFeed } from './status-feed.ts'
import {
  createPayment,
  endedAmong,
  extendOpen,
  openPayments,
  storedFingerprint,
  takeStep,
  undone,
  type SettleRental,
  type Step,
  type StoredStatus,
} from './store.ts'

export interface PaymentsOptions {
  readonly db: Db
  readonly outbox: RentalOutbox
  /** `host:port` of the gateway. */
  readonly gatewayAddress: string
  /** Called in the transaction of a rental's final payment status. */
  readonly settle: SettleRental
  readonly logger: Logger
  /** Silence of the gateway for so long fails the payment. @default 10_000 (milliseconds) */
  readonly gatewayTimeoutMs?: number | undefined
}

export interface Payments extends AsyncDisposable {
  /**
   * Writes a payment in the caller's transaction; after COMMIT call `run`.
   * @throws {ValidationError} a payment method that is none
   */
  create(trx: RentalTransaction, order: PaymentOrder): Promise<void>
  /** Asks the gateway now. Without it (a crash after COMMIT) the payment is found within half a second. */
  run(paymentId: string): void
  /**
   * Takes a request from outside: new, or the same as before under its id.
   * @throws {ValidationError} with the reason for the sender; nothing was written
   */
  accept(request: PaymentRequest): Promise<void>
  /** All statuses of a payment from the first on, as they come; ends after the final one. */
  watch(paymentId: string, signal?: AbortSignal): AsyncGenerator<StoredStatus, void, undefined>
  /** From the gateway's own ledger. */
  charges(paymentId: string): Promise<readonly Charge[]>
  /** Why the gateway can't be reached; `undefined` when it can. */
  readonly trouble: string | undefined
}

/** The gateway's words for the five words; what isn't here is about undoing. */
const STATUS_OF: Readonly<Partial<Record<GatewayAnswer['answer'], PaymentStatusWord>>> = {
  PENDING: 'PENDING',
  PROCESSING: 'PROCESSING',
  VALIDATING: 'VALIDATING',
  COMPLETED: 'COMPLETED',
  DECLINED: 'FAILED',
}

const LOOK_EVERY_MS = 500
const LOOK_LIMIT = 1_000
const ENDED_EVERY_LOOKS = 10
/** What was under way when the last process ended gets at least this long for its answer. */
const RESUME_GRACE_MS = 4_000
/** Steps written at once: fewer than the pool has connections. */
const MAX_STEPS_AT_ONCE = 6
/**
 * Payments from outside that wait for the gateway at once; more wait unread on their streams. Without it a burst would be
 * accepted faster than its answers can be written, and run out of its time on our side.
 */
const MAX_UNDER_WAY = 200

/** Drives payments through the gateway until disposed, those of an earlier process too. */
export function createPayments(options: PaymentsOptions): Payments {
  return new RunningPayments(options)
}

class RunningPayments implements Payments {
  readonly #options: PaymentsOptions
  readonly #steps: { readonly gatewayTimeoutMs: number; readonly settle: SettleRental }
  readonly #db: PaymentDb
  readonly #feed: StatusFeed
  readonly #link: GatewayLink
  readonly #lanes = new Lanes(MAX_STEPS_AT_ONCE)
  readonly #underWay = new Slots(MAX_UNDER_WAY)
  readonly #stopped = new AbortController()
  readonly #looking: Promise<void>

  constructor(options: PaymentsOptions) {
    const { gatewayTimeoutMs = 10_000, settle, logger } = options
    this.#options = options
    this.#steps = { gatewayTimeoutMs, settle }
    this.#db = options.db.withTables<PaymentTables>() as unknown as PaymentDb
    this.#feed = new StatusFeed(this.#db)
    const onAnswer = (answer: GatewayAnswer) => this.#lanes.run(answer.payment_id, () => this.#hear(answer))
    this.#link = openGatewayLink({ address: options.gatewayAddress, onAnswer, logger })
    this.#looking = this.#look()
  }

  get trouble(): string | undefined {
    return this.#link.trouble
  }

  async create(trx: RentalTransaction, order: PaymentOrder): Promise<void> {
    paymentMethod(order.payment_method)
    const created = await createPayment(trx, order, this.#steps.gatewayTimeoutMs)
    if (created === 'other') throw takenByOther()
  }

  run(paymentId: string): void {
    this.#openOne(paymentId).catch((error: unknown) => this.#warn(error, paymentId))
  }

  async accept(request: PaymentRequest): Promise<void> {
    const order = paymentOrder(request)
    // The common repeat writes nothing, not even a transaction.
    const stored = await storedFingerprint(this.#db, order.payment_id)
    if (stored !== undefined) {
      if (stored !== fingerprintOf(order)) throw takenByOther()
      // A rental's payment was written with the rental: whoever follows it first sets it going.
      this.run(order.payment_id)
      return
    }
    await this.#underWay.take(order.payment_id)
    try {
      await this.#options.outbox.transaction((trx) => this.create(trx, order))
    } catch (error) {
      this.#underWay.free(order.payment_id)
      throw error
    }
    this.#charge(order)
  }

  watch(paymentId: string, signal?: AbortSignal): AsyncGenerator<StoredStatus, void, undefined> {
    return this.#feed.watch(paymentId, signal)
  }

  charges(paymentId: string): Promise<readonly Charge[]> {
    return this.#link.charges(paymentId)
  }

  #charge({ payment_id, amount_minor, currency, payment_method }: Omit<PaymentOrder, 'rental_id' | 'user_id'>): void {
    this.#link.ask({ command: 'CHARGE', payment_id, amount_minor, currency, payment_method })
  }

  async #openOne(paymentId: string): Promise<void> {
    const payment = await this.#db
      .selectFrom('rentsport.payment')
      .selectAll()
      .where('id', '=', paymentId)
      .where('open', '=', true)
      .executeTakeFirst()
    if (payment?.method_secret == null) return
    const amount_minor = Number(payment.amount_minor)
    const { currency, method_secret: payment_method } = payment
    this.#charge({ payment_id: paymentId, amount_minor, currency, payment_method })
  }

  /** What the gateway said. Should the database refuse, the question is asked again, and the gateway says it again. */
  async #hear({ command, payment_id, answer, message }: GatewayAnswer): Promise<void> {
    const status = STATUS_OF[answer]
    try {
      if (status !== undefined) {
        await this.#step({ payment_id, status, message })
        if (status === 'COMPLETED' || status === 'FAILED') this.#ended(payment_id)
      } else if (command === 'VOID' || command === 'REFUND') {
        await undone(this.#db, payment_id, command, answer === 'CHARGED')
        this.#link.settled(command, payment_id)
      }
    } catch (error) {
      this.#link.settled(command, payment_id)
      this.#warn(error, payment_id)
    }
  }

  #ended(paymentId: string): void {
    this.#link.settled('CHARGE', paymentId)
    this.#underWay.free(paymentId)
  }

  async #step(step: Step): Promise<void> {
    if (await takeStep(this.#options.outbox, step, this.#steps)) this.#feed.changed(step.payment_id)
  }

  /** Finds what nobody drives: after a start all that was under way, later what failed half-way, and what is overdue. */
  async #look(): Promise<void> {
    const { signal } = this.#stopped
    let extended = false
    let looks = 0
    while (!signal.aborted) {
      try {
        if (!extended) await extendOpen(this.#db, Math.min(RESUME_GRACE_MS, this.#steps.gatewayTimeoutMs))
        extended = true
        for (const payment of await openPayments(this.#db, LOOK_LIMIT)) {
          const { id, undo, overdue, method_secret } = payment
          if (undo !== null) this.#link.ask({ command: undo, payment_id: id })
          else if (overdue) await this.#lanes.run(id, () => this.#giveUp(id))
          else if (method_secret !== null && !this.#link.asked('CHARGE', id)) {
            const amount_minor = Number(payment.amount_minor)
            const { currency } = payment
            this.#link.ask({ command: 'CHARGE', payment_id: id, amount_minor, currency, payment_method: method_secret })
          }
        }
        // Another backend may have ended what we still ask for.
        if (++looks % ENDED_EVERY_LOOKS === 0) {
          for (const id of await endedAmong(this.#db, this.#link.charging())) this.#ended(id)
        }
      } catch (error) {
        this.#warn(error)
      }
      await sleep(systemPorts.timers, LOOK_EVERY_MS, signal).catch(() => undefined)
    }
  }

  async #giveUp(paymentId: string): Promise<void> {
    const message = 'the payment gateway did not answer in time'
    try {
      await this.#step({ payment_id: paymentId, status: 'FAILED', message, ifOverdue: true })
      this.#ended(paymentId)
    } catch (error) {
      this.#warn(error, paymentId)
    }
  }

  #warn(error: unknown, paymentId?: string): void {
    if (this.#stopped.signal.aborted) return
    this.#options.logger.warn({ error, paymentId }, 'a payment could not be moved on: it is tried again')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort()
    await this.#looking
    await this.#link[Symbol.asyncDispose]()
    await this.#lanes.idle()
  }
}

const takenByOther = () =>
  new ValidationError('payment_id was used before with other content', [
    { path: 'payment_id', message: 'was used before with other content' },
  ])
