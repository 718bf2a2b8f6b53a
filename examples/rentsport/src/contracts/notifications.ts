import { defineCommand } from '@waybill/core'
import { z } from 'zod'
import { timestamp } from './words.ts'

/**
 * The five fields of `urn:asyncapi:com.rentsport.notifications:1.0.0`. That all five must be there is this consumer's own
 * rule: the document requires none.
 */
function notification<Type extends 'RENTAL_EXPIRED' | 'MAINTENANCE_REQUIRED'>(type: Type) {
  return z.object({
    type: z.literal(type),
    inventory_id: z.int(),
    user_id: z.int(),
    message: z.string(),
    timestamp,
  })
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

export type Notification = z.infer<typeof NotifyRentalExpired.schema> | z.infer<typeof NotifyMaintenanceRequired.schema>
