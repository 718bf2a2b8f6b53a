import { sql } from 'kysely'
import { NotifyMaintenanceRequired } from '../contracts/notifications.ts'
import { businessNow } from './business-time.ts'
import { unknownEquipment } from './refusal.ts'
import type { RentalMessages, RentalOutbox, RentalTransaction } from './rental-outbox.ts'
import { maintenanceText } from './texts.ts'

/** Adds rental hours to equipment, and tells its owner when that makes maintenance due. */
export async function addRentedHours(
  trx: RentalTransaction,
  messages: RentalMessages,
  equipmentId: number,
  hours: number,
): Promise<void> {
  const equipment = await trx
    .updateTable('rentsport.equipment')
    .set({ rented_hours: sql`rented_hours + ${hours}::float8` })
    .where('id', '=', equipmentId)
    .returning(['rented_hours', 'maintained_at_hours', 'maintenance_every_hours'])
    .executeTakeFirstOrThrow()
  const sinceLast = equipment.rented_hours - equipment.maintained_at_hours
  if (sinceLast >= equipment.maintenance_every_hours) await tellOwner(trx, messages, equipmentId)
}

/**
 * Maintenance that somebody asked for: the owner is told.
 * @throws {Refusal} for equipment that isn't there
 */
export function askForMaintenance(outbox: RentalOutbox, equipmentId: number): Promise<void> {
  return outbox.transaction((trx, messages) => tellOwner(trx, messages, equipmentId))
}

async function tellOwner(trx: RentalTransaction, messages: RentalMessages, equipmentId: number): Promise<void> {
  const now = await businessNow(trx)
  const equipment = await trx
    .updateTable('rentsport.equipment')
    .set(({ ref }) => ({ maintenance_due_since: now, maintained_at_hours: ref('rented_hours') }))
    .where('id', '=', equipmentId)
    .returningAll()
    .executeTakeFirst()
  if (equipment === undefined) throw unknownEquipment(equipmentId)
  const owner = await trx
    .selectFrom('rentsport.person')
    .select(['id', 'language'])
    .where('id', '=', equipment.owner_id)
    .executeTakeFirstOrThrow()
  messages.send(NotifyMaintenanceRequired, {
    type: 'MAINTENANCE_REQUIRED',
    inventory_id: equipmentId,
    user_id: owner.id,
    message: maintenanceText(owner.language, equipment),
    timestamp: now.toISOString(),
  })
}
