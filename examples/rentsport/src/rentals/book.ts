import { uuidv7 } from '@waybill/core'
import type { Selectable } from 'kysely'
import { RentalBooked } from '../contracts/events.ts'
import type { RentalTable } from '../database/tables.ts'
import { businessNow } from './business-time.ts'
import { priceOf } from './price.ts'
import { Refusal, unknownEquipment, unknownUser } from './refusal.ts'
import type { RentalOutbox, RentalTransaction } from './rental-outbox.ts'

export type Rental = Selectable<RentalTable>

export interface RentalOrder {
  readonly equipment_id: number
  readonly user_id: number
  readonly days: number
  /** `card:NUMBER` or `paypal:ACCOUNT`. */
  readonly payment_method: string
}

/** Writes the rental's payment into the same transaction. */
export type RegisterPayment = (trx: RentalTransaction, rental: Rental, paymentMethod: string) => Promise<void>

/**
 * Takes a rental: the rental, its payment and the event are written in one transaction, or none of them.
 * @throws {Refusal} for equipment or a user that isn't there, or equipment of which no unit is free
 */
export function bookRental(
  outbox: RentalOutbox,
  registerPayment: RegisterPayment,
  order: RentalOrder,
): Promise<Rental> {
  return outbox.transaction(async (trx, messages) => {
    // The lock makes those who want the last unit come one after another.
    const equipment = await trx
      .selectFrom('rentsport.equipment')
      .selectAll()
      .where('id', '=', order.equipment_id)
      .forUpdate()
      .executeTakeFirst()
    if (equipment === undefined) throw unknownEquipment(order.equipment_id)
    const person = await trx
      .selectFrom('rentsport.person')
      .select('id')
      .where('id', '=', order.user_id)
      .executeTakeFirst()
    if (person === undefined) throw unknownUser(order.user_id)
    if ((await unitsInHand(trx, equipment.id)) >= equipment.units) {
      throw new Refusal(409, 'NOT_AVAILABLE', `every unit of equipment ${equipment.id} is rented`, 'equipment_id')
    }
    const rental = await trx
      .insertInto('rentsport.rental')
      .values({
        equipment_id: equipment.id,
        user_id: person.id,
        days: order.days,
        ...priceOf(equipment, order.days),
        payment_id: `rental-${uuidv7(Date.now())}`,
        status: 'PENDING_PAYMENT',
        booked_at: await businessNow(trx),
      })
      .returningAll()
      .executeTakeFirstOrThrow()
    await registerPayment(trx, rental, order.payment_method)
    messages.publish(RentalBooked, {
      rental_id: rental.id,
      equipment_id: rental.equipment_id,
      user_id: rental.user_id,
      at: rental.booked_at.toISOString(),
      payment_id: rental.payment_id,
      days: rental.days,
      amount_minor: rental.amount_minor,
      currency: rental.currency,
    })
    return rental
  })
}

async function unitsInHand(trx: RentalTransaction, equipmentId: number): Promise<number> {
  const { count } = await trx
    .selectFrom('rentsport.rental')
    .select(({ fn }) => fn.countAll<string>().as('count'))
    .where('equipment_id', '=', equipmentId)
    .where('status', 'in', ['PENDING_PAYMENT', 'ACTIVE'])
    .executeTakeFirstOrThrow()
  return Number(count)
}
