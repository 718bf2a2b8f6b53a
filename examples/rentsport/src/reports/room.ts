import { createBus, on, type Logger, type ParkedStore, type Transport } from '@waybill/core'
import type { Inbox } from '@waybill/outbox-pg'
import {
  PaymentStatusChanged,
  RentalActivated,
  RentalBooked,
  RentalCancelled,
  RentalExpired,
  RentalReturned,
} from '../contracts/events.ts'
import type { RentalTransaction } from '../rentals/rental-outbox.ts'
import { DRAIN_TIMEOUT_MS, type ChildRoom } from '../supervisor/run-child.ts'
import { recordPayment } from './record-payment.ts'
import { recordRental } from './record-rental.ts'

export interface ReportRoomOptions {
  readonly transport: Transport
  readonly inbox: Inbox<RentalTransaction>
  readonly parked: ParkedStore
  readonly logger: Logger
}

/** The report service: its tables are made of domain events alone, each counted once. */
export async function startReports({ transport, inbox, parked, logger }: ReportRoomOptions): Promise<ChildRoom> {
  const bus = createBus({ transport, source: '/rentsport/reports', parked, logger })
  try {
    await bus.subscribe('reports', [
      on(
        RentalBooked,
        inbox.once((event, { trx }) => recordRental(trx, event, { status: 'PENDING_PAYMENT' })),
      ),
      on(
        RentalActivated,
        inbox.once((event, { trx }) =>
          recordRental(trx, event, { status: 'ACTIVE', starts_at: event.starts_at, ends_at: event.ends_at }),
        ),
      ),
      on(
        RentalCancelled,
        inbox.once((event, { trx }) => recordRental(trx, event, { status: 'CANCELLED', closed_at: event.at })),
      ),
      on(
        RentalExpired,
        inbox.once((event, { trx }) => recordRental(trx, event, { status: 'EXPIRED', closed_at: event.at })),
      ),
      on(
        RentalReturned,
        inbox.once((event, { trx }) => recordRental(trx, event, { status: 'RETURNED', closed_at: event.at })),
      ),
      on(
        PaymentStatusChanged,
        inbox.once((event, { trx }) => recordPayment(trx, event)),
      ),
    ])
  } catch (error) {
    await bus.stop()
    throw error
  }
  return { health: () => bus.health(), [Symbol.asyncDispose]: () => bus.stop({ drainTimeoutMs: DRAIN_TIMEOUT_MS }) }
}
