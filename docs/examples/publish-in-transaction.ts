import type { Transport } from '@waybill/core'
import { createOutbox, fromKysely, startRelay } from '@waybill/outbox-pg'
import type { Kysely } from 'kysely'
import type { Pool } from 'pg'
import { RentalBooked, type Tables } from './domain.ts'

export async function book(db: Kysely<Tables>, pool: Pool, amqp: Transport, rental: Tables['rental']) {
  // #region example
  const outbox = createOutbox({ db: fromKysely(db), source: '/rentals' })

  await outbox.transaction(async (trx, messages) => {
    await trx.insertInto('rental').values(rental).execute()
    messages.publish(RentalBooked, { rentalId: rental.id, skiId: rental.ski_id, days: rental.days })
  })

  const relay = startRelay({ outbox, pool, transports: { amqp } })
  // #endregion
  return relay
}
