import type { DataOut } from '@waybill/core'
import type { PaymentStatusChanged } from '../contracts/events.ts'
import type { RentalTransaction } from '../rentals/rental-outbox.ts'

/** The newest status of a payment; an older one that comes late changes nothing. */
export async function recordPayment(
  trx: RentalTransaction,
  { payment_id, status, number, amount_minor, currency }: DataOut<typeof PaymentStatusChanged>,
): Promise<void> {
  await trx
    .insertInto('rentsport.report_payment')
    .values({ payment_id, status, number, amount_minor, currency })
    .onConflict((row) =>
      row
        .column('payment_id')
        .doUpdateSet({ status, number })
        .where('report_payment.number' as never, '<', number as never),
    )
    .execute()
}
