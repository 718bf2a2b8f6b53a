import { z } from 'zod'

/** The five words of a payment; the last two are final. */
export const PAYMENT_STATUSES = ['PENDING', 'PROCESSING', 'VALIDATING', 'COMPLETED', 'FAILED'] as const
export type PaymentStatusWord = (typeof PAYMENT_STATUSES)[number]

export const RENTAL_STATUSES = ['PENDING_PAYMENT', 'ACTIVE', 'CANCELLED', 'EXPIRED', 'RETURNED'] as const
export type RentalStatus = (typeof RENTAL_STATUSES)[number]

export const CURRENCIES = ['RUB', 'USD', 'EUR'] as const
export type Currency = (typeof CURRENCIES)[number]

export const paymentStatusWord = z.enum(PAYMENT_STATUSES)
export const rentalStatus = z.enum(RENTAL_STATUSES)
export const currency = z.enum(CURRENCIES)
/** Ids of users and equipment: whole numbers as PostgreSQL's `integer` holds them. */
export const integerId = z.int().min(1).max(2_147_483_647)
/** RFC 3339 with offset. */
export const timestamp = z.iso.datetime({ offset: true })
/** Whole kopecks or cents. */
export const minorUnits = z.int().min(1)
