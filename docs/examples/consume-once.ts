import { createBus, on, type Transport } from '@waybill/core'
import { createInbox, fromKysely } from '@waybill/outbox-pg'
import type { Kysely } from 'kysely'
import { invoiceFor, RentalBooked, type Tables } from './domain.ts'

export async function billing(db: Kysely<Tables>, amqp: Transport) {
  // #region example
  const inbox = createInbox({ db: fromKysely(db) })
  const bus = createBus({ transport: amqp, source: '/billing' })

  await bus.subscribe('billing', [
    on(
      RentalBooked,
      inbox.once(async (rental, { trx }) => {
        await trx.insertInto('invoice').values(invoiceFor(rental)).execute()
      }),
    ),
  ])
  // #endregion
  return bus
}
