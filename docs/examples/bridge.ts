import { bridge, defineEvent, forward, type Bridge, type Transport } from '@waybill/core'
import { avro } from '@waybill/core/avro'
import { z } from 'zod'

/** As the shop sends it over RabbitMQ: JSON. */
export const Booked = defineEvent('rental.booked', {
  schema: z.object({ rentalId: z.string(), skiId: z.string(), days: z.int() }),
  orderingKey: (rental) => rental.skiId,
})

const record = {
  type: 'record',
  name: 'RentalBooked',
  fields: [
    { name: 'rentalId', type: 'string' },
    { name: 'skiId', type: 'string' },
    { name: 'days', type: 'int' },
  ],
} as const

/** As the reports read it from Kafka: Avro. */
export const BookedForReports = defineEvent('reports.rental-booked', {
  ...avro<{ rentalId: string; skiId: string; days: number }>(record),
  orderingKey: (rental) => rental.skiId,
})

export async function startBridge(amqp: Transport, kafka: Transport): Promise<Bridge> {
  // #region example
  return await bridge({
    name: 'rentals-to-kafka',
    from: amqp,
    to: kafka,
    routes: [forward(Booked, { to: BookedForReports })],
  })
  // #endregion
}
