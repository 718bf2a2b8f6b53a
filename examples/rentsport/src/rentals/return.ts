import { RentalReturned } from '../contracts/events.ts'
import type { Rental } from './book.ts'
import { businessNow, HOUR_MS } from './business-time.ts'
import { addRentedHours } from './maintenance.ts'
import { Refusal, unknownRental } from './refusal.ts'
import type { RentalOutbox } from './rental-outbox.ts'

/**
 * The renter brings the equipment back, early or after the rental expired.
 * @throws {Refusal} for a rental that isn't there, or has nothing to bring back
 */
export function returnRental(outbox: RentalOutbox, rentalId: number): Promise<Rental> {
  return outbox.transaction(async (trx, messages) => {
    const rental = await trx
      .selectFrom('rentsport.rental')
      .selectAll()
      .where('id', '=', rentalId)
      .forUpdate()
      .executeTakeFirst()
    if (rental === undefined) throw unknownRental(rentalId)
    if (rental.status !== 'ACTIVE' && rental.status !== 'EXPIRED') {
      throw new Refusal(
        409,
        'NOT_RETURNABLE',
        `rental ${rentalId} is ${rental.status}: there is nothing to bring back`,
        'id',
      )
    }
    const now = await businessNow(trx)
    const returned = await trx
      .updateTable('rentsport.rental')
      .set({ status: 'RETURNED', closed_at: rental.closed_at ?? now })
      .where('id', '=', rentalId)
      .returningAll()
      .executeTakeFirstOrThrow()
    messages.publish(RentalReturned, {
      rental_id: rental.id,
      equipment_id: rental.equipment_id,
      user_id: rental.user_id,
      at: now.toISOString(),
    })
    if (rental.status === 'ACTIVE') {
      const hours = (now.getTime() - rental.starts_at!.getTime()) / HOUR_MS
      await addRentedHours(trx, messages, rental.equipment_id, Math.min(hours, rental.days * 24))
    }
    return returned
  })
}
