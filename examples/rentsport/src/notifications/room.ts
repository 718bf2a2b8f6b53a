import {
  createBus,
  on,
  type Context,
  type Logger,
  type ParkedStore,
  type PartHealth,
  type Transport,
} from '@waybill/core'
import type { Inbox } from '@waybill/outbox-pg'
import { createTransport } from 'nodemailer'
import { NotifyMaintenanceRequired, NotifyRentalExpired, type Notification } from '../contracts/notifications.ts'
import type { RentalTransaction } from '../rentals/rental-outbox.ts'
import { byMailbox, bySmtp, type Recipient, type Way } from './deliver.ts'

export interface NotificationRoomOptions {
  readonly transport: Transport
  readonly inbox: Inbox<RentalTransaction>
  readonly parked: ParkedStore
  readonly dataDir: string
  readonly smtpUrl: string | undefined
  readonly logger: Logger
}

export interface Room extends AsyncDisposable {
  health(): Promise<readonly PartHealth[]>
}

/** The notification service: renters and owners have a queue each. What can't be understood is parked with its reason. */
export async function startNotifications(options: NotificationRoomOptions): Promise<Room> {
  const { transport, inbox, parked, logger } = options
  const deliver = deliveryOf(options)
  const bus = createBus({ transport, source: '/rentsport/notifications', parked, logger })
  try {
    // `assume`: another producer's plain JSON on the channel carries no type.
    await bus.subscribe('notifications.renter', [on(NotifyRentalExpired, inbox.once(deliver))], {
      assume: NotifyRentalExpired,
    })
    await bus.subscribe('notifications.owner', [on(NotifyMaintenanceRequired, inbox.once(deliver))], {
      assume: NotifyMaintenanceRequired,
    })
  } catch (error) {
    await bus.stop()
    throw error
  }
  return { health: () => bus.health(), [Symbol.asyncDispose]: () => bus.stop() }
}

type DeliveryContext = Context & { readonly trx: RentalTransaction }

function deliveryOf({ dataDir, smtpUrl }: NotificationRoomOptions) {
  const email: Way = smtpUrl === undefined ? byMailbox(dataDir, 'email') : bySmtp(createTransport(smtpUrl))
  const ways = { email, sms: byMailbox(dataDir, 'sms'), push: byMailbox(dataDir, 'push') }
  return async (notification: Notification, { trx, message, service }: DeliveryContext): Promise<void> => {
    const recipient = await recipientOf(trx, notification.user_id)
    const channels = [...new Set<keyof typeof ways>(['email', recipient.channel])]
    await trx
      .insertInto('rentsport.notification_delivered')
      .values({
        message_id: message.id,
        service,
        type: notification.type,
        inventory_id: notification.inventory_id,
        user_id: notification.user_id,
        message: notification.message,
        sent_at: notification.timestamp,
        channels,
      })
      .execute()
    // Last, so that a database that refuses the row keeps the mail from leaving.
    for (const channel of channels) await ways[channel]({ messageId: message.id, notification, recipient })
  }
}

/** Somebody unknown gets it all the same: another producer may know people that we don't. */
async function recipientOf(trx: RentalTransaction, userId: number): Promise<Recipient> {
  const known =
    userId > 0 && userId < 2 ** 31
      ? await trx.selectFrom('rentsport.person').selectAll().where('id', '=', userId).executeTakeFirst()
      : undefined
  const guest = { name: `user ${userId}`, email: `user-${userId}@rentsport.example`, phone: `user ${userId}` }
  return known ?? { ...guest, language: 'en', channel: 'email' }
}
