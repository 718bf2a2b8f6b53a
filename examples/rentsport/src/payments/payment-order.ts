import { ValidationError } from '@waybill/core'
import { createHash } from 'node:crypto'
import type { PaymentRequest } from '../contracts/payment.ts'
import { CURRENCIES, type Currency } from '../contracts/words.ts'
import { minorUnitsOf } from './money.ts'

/** A request that may become a payment. */
export interface PaymentOrder {
  readonly payment_id: string
  /** `null` for a payment on account of the user. */
  readonly rental_id: number | null
  readonly user_id: string
  readonly amount_minor: number
  readonly currency: Currency
  /** `card:NUMBER` or `paypal:ACCOUNT`: never to be logged. */
  readonly payment_method: string
}

const MAX_ID_LENGTH = 200
const MAX_USER_LENGTH = 1_000

/** @throws {ValidationError} with the reason that the sender is told */
export function paymentOrder(request: PaymentRequest): PaymentOrder {
  return {
    payment_id: text('payment_id', request.payment_id, MAX_ID_LENGTH),
    rental_id: null,
    user_id: text('user_id', request.user_id, MAX_USER_LENGTH),
    amount_minor: minorUnitsOf(request.amount),
    currency: currencyOf(request.currency),
    payment_method: paymentMethod(request.payment_method),
  }
}

function text(field: string, value: string, maxLength: number): string {
  if (value.trim() === '') throw refused(field, 'is empty')
  if (value.length > 2 * maxLength || [...value].length > maxLength) {
    throw refused(field, `is longer than ${maxLength} characters`)
  }
  // PostgreSQL keeps no NUL in text.
  if (value.includes('\0')) throw refused(field, 'holds a NUL character')
  return value
}

function currencyOf(value: string): Currency {
  const currency = CURRENCIES.find((known) => known === value)
  if (currency === undefined) throw refused('currency', `is unknown: give ${CURRENCIES.join(', ')}`)
  return currency
}

/** @throws {ValidationError} for anything but `card:NUMBER`, digits only, and `paypal:ACCOUNT` */
export function paymentMethod(value: string): string {
  if (/^card:\d{12,19}$/.test(value) || /^paypal:[^\s\p{Cc}]{1,200}$/u.test(value)) return value
  throw refused('payment_method', 'is unknown: give card:NUMBER with 12 to 19 digits, or paypal:ACCOUNT')
}

/** What may be shown and kept for ever: the kind and the last digits. */
export function maskedMethod(method: string): string {
  return method.startsWith('card:') ? `card:****${method.slice(-4)}` : 'paypal:****'
}

/** Tells the same order from another one under the same id, without keeping the payment method. */
export function fingerprintOf(order: PaymentOrder): string {
  const { payment_id, user_id, amount_minor, currency, payment_method } = order
  const content = JSON.stringify([payment_id, user_id, amount_minor, currency, payment_method])
  return createHash('sha256').update(content).digest('hex')
}

function refused(field: string, what: string): ValidationError {
  return new ValidationError(`${field} ${what}`, [{ path: field, message: what }])
}
