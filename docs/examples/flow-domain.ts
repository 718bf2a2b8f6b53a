import { defineCommand, defineEvent } from '@waybill/core'
import { z } from 'zod'

export const RentalBooked = defineEvent('rental.booked.mail', { schema: z.object({ email: z.string() }) })

export const PriceFeed = defineCommand('price.feed', {
  schema: z.object({ skiId: z.string(), cents: z.number().int() }),
  orderingKey: ({ skiId }) => skiId,
})
