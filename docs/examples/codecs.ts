import { defineEvent } from '@waybill/core'
import { avro } from '@waybill/core/avro'
import { protobuf } from '@waybill/core/protobuf'
import { BookedSchema } from './gen/rental_pb.ts'

// #region example
// the message that protoc-gen-es made gives the types as well
export const BookedInProtobuf = defineEvent('rental.booked', {
  ...protobuf(BookedSchema),
  orderingKey: ({ skiId }) => skiId,
})

interface Booked {
  readonly rentalId: string
  readonly skiId: string
  readonly days: number
}

// an Avro schema says nothing to TypeScript, so its type is told
export const BookedInAvro = defineEvent('rental.booked.avro', {
  ...avro<Booked>({
    type: 'record',
    name: 'Booked',
    fields: [
      { name: 'rentalId', type: 'string' },
      { name: 'skiId', type: 'string' },
      { name: 'days', type: 'int' },
    ],
  }),
  orderingKey: ({ skiId }) => skiId,
})
// #endregion
