import { defineEvent, fromVersion, on, type Bus } from '@waybill/core'
import { z } from 'zod'

// #region example
// version 1, as it has always been: days, and one name
export const RentalBookedV1 = defineEvent('rental.booked', {
  schema: z.object({ rentalId: z.string(), name: z.string(), days: z.number().int() }),
})

// version 2 travels as `rental.booked.v2`, to the same topic
export const RentalBooked = defineEvent('rental.booked', {
  version: 2,
  schema: z.object({ rentalId: z.string(), first: z.string(), last: z.string(), hours: z.number().int() }),
  upcast: {
    1: fromVersion(RentalBookedV1, ({ rentalId, name, days }) => {
      const [first = '', ...rest] = name.split(' ')
      return { rentalId, first, last: rest.join(' '), hours: days * 24 }
    }),
  },
})

export const bill = (bus: Bus, invoice: (line: string) => void) =>
  bus.subscribe('billing', [
    on(RentalBooked, ({ last, hours }, { message }) => {
      invoice(`${last}: ${hours} hours (version ${message.version})`)
    }),
  ])
// #endregion
