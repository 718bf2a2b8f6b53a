import { defineEvent, defineRequest } from '@waybill/core'
import type { Generated } from 'kysely'
import { z } from 'zod'

export const RentalBooked = defineEvent('rental.booked', {
  schema: z.object({ rentalId: z.string(), skiId: z.string(), days: z.number().int() }),
  orderingKey: (rental) => rental.skiId,
})

export const QuotePrice = defineRequest('pricing.quote', {
  schema: z.object({ skiId: z.string(), days: z.number().int() }),
  reply: z.object({ cents: z.number().int() }),
})

/** The application's own tables, as kysely wants them described. */
export interface Tables {
  rental: { id: string; ski_id: string; days: number }
  invoice: { id: Generated<number>; rental_id: string; cents: number }
}

export const invoiceFor = (rental: { rentalId: string; days: number }) => ({
  rental_id: rental.rentalId,
  cents: rental.days * 1_500,
})
