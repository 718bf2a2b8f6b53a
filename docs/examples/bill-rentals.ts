import { defineEvent, on, type Bus } from '@waybill/core'
import { z } from 'zod'
import { RentalBooked } from './domain.ts'

export const RentalBilled = defineEvent('rental.billed', {
  schema: z.object({ rentalId: z.string(), cents: z.number().int() }),
})

/** The routes of the billing service; `charge` talks to the bank. */
export const billRentals = (bus: Bus, charge: (rentalId: string, cents: number) => Promise<void>) => [
  on(RentalBooked, async ({ rentalId, days }) => {
    const cents = days * 1_500
    await charge(rentalId, cents)
    await bus.publish(RentalBilled, { rentalId, cents })
  }),
]
