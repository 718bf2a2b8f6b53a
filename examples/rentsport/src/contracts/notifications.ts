import { defineCommand } from '@waybill/core'
import { z } from 'zod'
import { timestamp } from './words.ts'

const fields = { inventory_id: z.int(), user_id: z.int(), message: z.string(), timestamp }

/** The five fields of `urn:asyncapi:com.rentsport.notifications:1.0.0`, as that document has them: none is required. */
const contract = z.object({ type: z.enum(['RENTAL_EXPIRED', 'MAINTENANCE_REQUIRED']), ...fields }).partial()

/** That all five must be there is this consumer's own rule. */
function notification<Type extends 'RENTAL_EXPIRED' | 'MAINTENANCE_REQUIRED'>(type: Type) {
  return z.object({ type: z.literal(type), ...fields })
}

const CHANNEL = { kind: 'topic', name: 'notifications/status', transport: 'amqp' } as const

/** Tells the renter that the rental's time is over. */
export const NotifyRentalExpired = defineCommand('notification.rental-expired', {
  schema: notification('RENTAL_EXPIRED'),
  destination: { ...CHANNEL, subject: 'renter.RENTAL_EXPIRED' },
})

/** Tells the owner that equipment is due for maintenance. */
export const NotifyMaintenanceRequired = defineCommand('notification.maintenance-required', {
  schema: notification('MAINTENANCE_REQUIRED'),
  destination: { ...CHANNEL, subject: 'owner.MAINTENANCE_REQUIRED' },
})

/** The channel's one message as its document names it, whoever it is for: described, not sent. */
export const SendNotification = defineCommand('sendNotification.message', { schema: contract, destination: CHANNEL })

export type Notification = z.infer<typeof NotifyRentalExpired.schema> | z.infer<typeof NotifyMaintenanceRequired.schema>
