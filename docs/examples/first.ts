import { createBus, defineEvent, on } from '@waybill/core'
import { memory } from '@waybill/core/memory'
import { z } from 'zod'

const RentalBooked = defineEvent('rental.booked', {
  schema: z.object({ rentalId: z.string(), skiId: z.string(), days: z.number().int() }),
  orderingKey: (rental) => rental.skiId,
})

const bus = createBus({ transport: memory(), source: '/rentals' })

await bus.subscribe('billing', [
  on(RentalBooked, (rental) => {
    console.log(`bill ${rental.days} days of ${rental.skiId}`)
  }),
])

await bus.publish(RentalBooked, { rentalId: 'r-1', skiId: 's-42', days: 3 })
await bus.stop()
