import { sql } from 'kysely'
import { PaymentStatusChanged } from '../contracts/events.ts'
import { PAYMENT_STATUSES, type PaymentStatusWord } from '../contracts/words.ts'
import type { RentalMessages, RentalOutbox, RentalTransaction } from '../rentals/rental-outbox.ts'
import type { PaymentOutcome } from '../rentals/settle.ts'
import { fingerprintOf, maskedMethod, type PaymentOrder } from './payment-order.ts'
import type { PaymentDb, PaymentTables } from './payment-tables.ts'

/** Changes the rental in the transaction of its payment's last status. */
export type SettleRental = (trx: RentalTransaction, messages: RentalMessages, outcome: PaymentOutcome) => Promise<void>

/** A step of a payment. One that comes twice, or late, or out of turn changes nothing. */
export interface Step {
  readonly payment_id: string
  readonly status: PaymentStatusWord
  readonly message: string
  /** Only if the payment's time is really over. */
  readonly ifOverdue?: boolean
}

export interface StoredStatus {
  readonly number: number
  readonly status: PaymentStatusWord
  readonly message: string
  readonly at: Date
}

const inMs = (delayMs: number) => sql<Date>`clock_timestamp() + ${delayMs} * interval '1 millisecond'`
const rank = (status: PaymentStatusWord | null) =>
  status === null ? -1 : Math.min(PAYMENT_STATUSES.indexOf(status), 3)

/** Writes the payment if its id is new; `other` is an id that is taken by an order of other content. */
export async function createPayment(
  trx: RentalTransaction,
  order: PaymentOrder,
  gatewayTimeoutMs: number,
): Promise<'created' | 'same' | 'other'> {
  const db = trx.withTables<PaymentTables>()
  const fingerprint = fingerprintOf(order)
  const created = await db
    .insertInto('rentsport.payment')
    .values({
      id: order.payment_id,
      rental_id: order.rental_id,
      user_id: order.user_id,
      amount_minor: order.amount_minor,
      currency: order.currency,
      method_masked: maskedMethod(order.payment_method),
      method_secret: order.payment_method,
      fingerprint,
      give_up_at: inMs(gatewayTimeoutMs),
    })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .returning('id')
    .executeTakeFirst()
  if (created !== undefined) return 'created'
  const stored = await storedFingerprint(db as unknown as PaymentDb, order.payment_id)
  return stored === fingerprint ? 'same' : 'other'
}

export async function storedFingerprint(db: PaymentDb, paymentId: string): Promise<string | undefined> {
  const row = await db
    .selectFrom('rentsport.payment')
    .select('fingerprint')
    .where('id', '=', paymentId)
    .executeTakeFirst()
  return row?.fingerprint
}

/**
 * Takes a step: the status, its event and, with the last one, the rental's own change share one transaction. The row's
 * lock and the order of the statuses make several drivers of one payment harmless. True where something changed.
 */
export function takeStep(
  outbox: RentalOutbox,
  step: Step,
  options: { readonly gatewayTimeoutMs: number; readonly settle: SettleRental },
): Promise<boolean> {
  return outbox.transaction(async (trx, messages) => {
    const db = trx.withTables<PaymentTables>()
    const payment = await db
      .selectFrom('rentsport.payment')
      .selectAll()
      .select(sql<boolean>`give_up_at <= clock_timestamp()`.as('overdue'))
      .where('id', '=', step.payment_id)
      .forUpdate()
      .executeTakeFirst()
    if (payment === undefined) return false
    const update = db.updateTable('rentsport.payment').where('id', '=', payment.id)
    if (payment.status === 'FAILED' && step.status === 'COMPLETED' && payment.undo !== 'REFUND') {
      // The gateway succeeded after we had given up: the money goes back.
      await update.set({ undo: 'REFUND', open: true }).execute()
      return true
    }
    if (rank(step.status) <= rank(payment.status)) return false
    if (step.ifOverdue === true && !payment.overdue) return false
    const final = step.status === 'COMPLETED' || step.status === 'FAILED'
    const number = payment.number + 1
    const at = new Date()
    const undo = step.ifOverdue === true ? ('VOID' as const) : null
    await update
      .set({
        status: step.status,
        number,
        give_up_at: inMs(options.gatewayTimeoutMs),
        ...(final && { method_secret: null, undo, open: undo !== null }),
      })
      .execute()
    await db
      .insertInto('rentsport.payment_status')
      .values({ payment_id: payment.id, number, status: step.status, message: step.message, at })
      .execute()
    messages.publish(PaymentStatusChanged, {
      payment_id: payment.id,
      ...(payment.rental_id !== null && { rental_id: payment.rental_id }),
      user_id: payment.user_id,
      status: step.status,
      message: step.message,
      number,
      amount_minor: Number(payment.amount_minor),
      currency: payment.currency,
      at: at.toISOString(),
    })
    if (final && payment.rental_id !== null) {
      const { status, message } = step as Step & { readonly status: 'COMPLETED' | 'FAILED' }
      await options.settle(trx, messages, { rental_id: payment.rental_id, status, message })
    }
    return true
  })
}

/** The gateway acknowledged that nothing is charged any more; `CHARGED` asks for the refund instead. */
export async function undone(
  db: PaymentDb,
  paymentId: string,
  undo: 'VOID' | 'REFUND',
  charged: boolean,
): Promise<void> {
  await db
    .updateTable('rentsport.payment')
    .set(charged ? { undo: 'REFUND', open: true } : { open: false })
    .where('id', '=', paymentId)
    .where('undo', '=', undo)
    .execute()
}

/** The statuses after the given number, in order. */
export function statusesAfter(db: PaymentDb, paymentId: string, number: number): Promise<StoredStatus[]> {
  return db
    .selectFrom('rentsport.payment_status')
    .select(['number', 'status', 'message', 'at'])
    .where('payment_id', '=', paymentId)
    .where('number', '>', number)
    .orderBy('number')
    .execute()
}

/** Which of these payments have their final status. */
export async function endedAmong(db: PaymentDb, paymentIds: readonly string[]): Promise<string[]> {
  if (paymentIds.length === 0) return []
  const rows = await db
    .selectFrom('rentsport.payment')
    .select('id')
    .where('id', '=', sql<string>`any(${[...paymentIds]}::text[])`)
    .where('status', 'in', ['COMPLETED', 'FAILED'])
    .execute()
  return rows.map(({ id }) => id)
}

export interface OpenPayment {
  readonly id: string
  readonly amount_minor: string
  readonly currency: string
  readonly method_secret: string | null
  readonly undo: 'VOID' | 'REFUND' | null
  readonly overdue: boolean
}

/** Payments that still want something of the gateway, the most pressing first. */
export function openPayments(db: PaymentDb, limit: number): Promise<OpenPayment[]> {
  return db
    .selectFrom('rentsport.payment')
    .select(['id', 'amount_minor', 'currency', 'method_secret', 'undo'])
    .select(sql<boolean>`give_up_at <= clock_timestamp()`.as('overdue'))
    .where('open', '=', true)
    .orderBy(sql`undo is not null`)
    .orderBy('give_up_at')
    .limit(limit)
    .execute()
}

/** After a start: what was under way when the last process ended gets at least this long for its answer. */
export async function extendOpen(db: PaymentDb, graceMs: number): Promise<void> {
  await db
    .updateTable('rentsport.payment')
    .set({ give_up_at: sql<Date>`greatest(give_up_at, ${inMs(graceMs)})` })
    .where('open', '=', true)
    .where('undo', 'is', null)
    .execute()
}
