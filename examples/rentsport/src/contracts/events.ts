import { defineEvent } from '@waybill/core'
import { z } from 'zod'
import { currency, integerId, minorUnits, paymentStatusWord, timestamp } from './words.ts'

/** The topics of the domain events, and the carrier they are meant for. */
const RENTALS = { name: 'rentsport.rentals', transport: 'kafka' }
const PAYMENTS = { name: 'rentsport.payments', transport: 'kafka' }

const rental = {
  rental_id: integerId,
  equipment_id: integerId,
  user_id: integerId,
  at: timestamp,
}
const byRental = ({ rental_id }: { readonly rental_id: number }): string => String(rental_id)

/** A rental was taken; its payment has yet to succeed. */
export const RentalBooked = defineEvent('rental.booked', {
  schema: z.object({ ...rental, payment_id: z.string(), days: z.int().min(1), amount_minor: minorUnits, currency }),
  destination: RENTALS,
  orderingKey: byRental,
})

/** The payment succeeded: the equipment is the renter's until `ends_at`. */
export const RentalActivated = defineEvent('rental.activated', {
  schema: z.object({ ...rental, starts_at: timestamp, ends_at: timestamp }),
  destination: RENTALS,
  orderingKey: byRental,
})

/** The payment failed, for the reason given. */
export const RentalCancelled = defineEvent('rental.cancelled', {
  schema: z.object({ ...rental, reason: z.string() }),
  destination: RENTALS,
  orderingKey: byRental,
})

/** The rental's time is over. */
export const RentalExpired = defineEvent('rental.expired', {
  schema: z.object({ ...rental, ends_at: timestamp }),
  destination: RENTALS,
  orderingKey: byRental,
})

/** The renter brought the equipment back. */
export const RentalReturned = defineEvent('rental.returned', {
  schema: z.object(rental),
  destination: RENTALS,
  orderingKey: byRental,
})

/** A payment got a status; `number` counts them from 1. Keyed by the rental, or by the payment where there is none. */
export const PaymentStatusChanged = defineEvent('payment.status-changed', {
  schema: z.object({
    payment_id: z.string(),
    rental_id: integerId.optional(),
    user_id: z.string(),
    status: paymentStatusWord,
    message: z.string(),
    number: z.int().min(1),
    amount_minor: minorUnits,
    currency,
    at: timestamp,
  }),
  destination: PAYMENTS,
  orderingKey: ({ rental_id, payment_id }) => (rental_id === undefined ? payment_id : String(rental_id)),
})
