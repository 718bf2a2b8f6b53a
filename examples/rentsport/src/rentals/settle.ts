import { RentalActivated, RentalCancelled } from '../contracts/events.ts'
import { businessNow, DAY_MS } from './business-time.ts'
import type { RentalMessages, RentalTransaction } from './rental-outbox.ts'

/** How a rental's payment ended. */
export interface PaymentOutcome {
  readonly rental_id: number
  readonly status: 'COMPLETED' | 'FAILED'
  /** Why it failed. */
  readonly message: string
}

/** The rental's answer to its payment: active from now, or cancelled with the reason. Twice does no harm. */
export async function settleRental(
  trx: RentalTransaction,
  messages: RentalMessages,
  { rental_id, status, message }: PaymentOutcome,
): Promise<void> {
  const rental = await trx
    .selectFrom('rentsport.rental')
    .selectAll()
    .where('id', '=', rental_id)
    .forUpdate()
    .executeTakeFirst()
  if (rental?.status !== 'PENDING_PAYMENT') return
  const now = await businessNow(trx)
  const about = { rental_id, equipment_id: rental.equipment_id, user_id: rental.user_id, at: now.toISOString() }
  const update = trx.updateTable('rentsport.rental').where('id', '=', rental_id)
  if (status === 'FAILED') {
    await update.set({ status: 'CANCELLED', reason: message, closed_at: now }).execute()
    messages.publish(RentalCancelled, { ...about, reason: message })
    return
  }
  const endsAt = new Date(now.getTime() + rental.days * DAY_MS)
  await update.set({ status: 'ACTIVE', starts_at: now, ends_at: endsAt }).execute()
  messages.publish(RentalActivated, { ...about, starts_at: now.toISOString(), ends_at: endsAt.toISOString() })
}
