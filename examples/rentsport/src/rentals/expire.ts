import { sql } from 'kysely'
import { RentalExpired } from '../contracts/events.ts'
import { NotifyRentalExpired } from '../contracts/notifications.ts'
import type { Db } from '../database/tables.ts'
import { addRentedHours } from './maintenance.ts'
import type { RentalOutbox } from './rental-outbox.ts'
import { expiryText } from './texts.ts'

/** The rentals whose time is over on the business clock, the longest over first. */
export async function overdueRentals(db: Db, limit: number): Promise<readonly number[]> {
  const rows = await db
    .selectFrom('rentsport.rental')
    .select('id')
    .where('status', '=', 'ACTIVE')
    .where('ends_at', '<=', sql<Date>`(select rentsport.business_now())`)
    .orderBy('ends_at')
    .limit(limit)
    .execute()
  return rows.map(({ id }) => id)
}

/**
 * Ends a rental whose time is over: its state, the notification for the renter and the event share one transaction, and
 * leave through one outbox to two brokers. False where somebody else was faster.
 */
export function expireRental(outbox: RentalOutbox, rentalId: number): Promise<boolean> {
  return outbox.transaction(async (trx, messages) => {
    const rental = await trx
      .updateTable('rentsport.rental')
      .set(({ ref }) => ({ status: 'EXPIRED', closed_at: ref('ends_at') }))
      .where('id', '=', rentalId)
      .where('status', '=', 'ACTIVE')
      .where('ends_at', '<=', sql<Date>`(select rentsport.business_now())`)
      .returningAll()
      .executeTakeFirst()
    if (rental === undefined) return false
    const { name_en, name_ru, language } = await trx
      .selectFrom('rentsport.equipment as equipment')
      .innerJoin('rentsport.person as person', (join) => join.on('person.id', '=', rental.user_id))
      .select(['equipment.name_en', 'equipment.name_ru', 'person.language'])
      .where('equipment.id', '=', rental.equipment_id)
      .executeTakeFirstOrThrow()
    const endsAt = rental.ends_at!.toISOString()
    messages.send(NotifyRentalExpired, {
      type: 'RENTAL_EXPIRED',
      inventory_id: rental.equipment_id,
      user_id: rental.user_id,
      message: expiryText(language, { name_en, name_ru }),
      timestamp: endsAt,
    })
    messages.publish(RentalExpired, {
      rental_id: rental.id,
      equipment_id: rental.equipment_id,
      user_id: rental.user_id,
      at: endsAt,
      ends_at: endsAt,
    })
    await addRentedHours(trx, messages, rental.equipment_id, rental.days * 24)
    return true
  })
}
