import {
  createBus,
  on,
  type Context,
  type Logger,
  type ParkedStore,
  type Transport,
  UnrecoverableError,
} from '@waybill/core'
import type { Inbox } from '@waybill/outbox-pg'
import { createTransport } from 'nodemailer'
import { NotifyMaintenanceRequired, NotifyRentalExpired, type Notification } from '../contracts/notifications.ts'
import type { RentalTransaction } from '../rentals/rental-outbox.ts'
import { DRAIN_TIMEOUT_MS, type ChildRoom } from '../supervisor/run-child.ts'
import { byMailbox, bySmtp, type Way } from './deliver.ts'
import type { Recipient } from './recipient.ts'

export interface NotificationRoomOptions {
  readonly transport: Transport
  readonly inbox: Inbox<RentalTransaction>
  readonly parked: ParkedStore
  readonly dataDir: string
  readonly smtpUrl: string | undefined
  readonly logger: Logger
}

/** The notification service: renters and owners have a queue each. What can't be understood is parked with its reason. */
export async function startNotifications(options: NotificationRoomOptions): Promise<ChildRoom> {
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
  return { health: () => bus.health(), [Symbol.asyncDispose]: () => bus.stop({ drainTimeoutMs: DRAIN_TIMEOUT_MS }) }
}

/** The delivery's transaction waits for the mail server: not for long. */
const SMTP_TIMEOUTS = { connectionTimeout: 5_000, greetingTimeout: 5_000, socketTimeout: 10_000 } as const

type DeliveryContext = Context & { readonly trx: RentalTransaction }

function deliveryOf({ dataDir, smtpUrl }: NotificationRoomOptions) {
  const email: Way =
    smtpUrl === undefined ? byMailbox(dataDir, 'email') : bySmtp(createTransport({ url: smtpUrl, ...SMTP_TIMEOUTS }))
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
      .catch(refuseData)
    // Last, so that a database that refuses the row keeps the mail from leaving.
    for (const channel of channels) await ways[channel]({ messageId: message.id, notification, recipient })
  }
}

/** SQLSTATE class 22: the values themselves, such as a NUL in the text or a year that is none. Trying again is no help. */
function refuseData(error: unknown): never {
  const { code } = error as { code?: unknown }
  if (typeof code !== 'string' || !code.startsWith('22')) throw error
  throw new UnrecoverableError(`the notification can't be kept: ${(error as Error).message}`, { cause: error })
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
