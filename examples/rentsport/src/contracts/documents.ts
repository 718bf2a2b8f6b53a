import type { Schema } from '@waybill/core'
import { asyncapi, type AsyncApiDocument } from '@waybill/core/asyncapi'
import { z } from 'zod'
import * as events from './events.ts'
import { NotifyMaintenanceRequired, NotifyRentalExpired, SendNotification } from './notifications.ts'
import { QuotePrice } from './requests.ts'

/** The contract of the notifications, which others hold too: `urn:asyncapi:com.rentsport.notifications:1.0.0`. */
export function notificationDocument(): AsyncApiDocument {
  return asyncapi({
    id: 'urn:asyncapi:com.rentsport.notifications:1.0.0',
    info: {
      title: 'RentSport Notification Service',
      version: '1.0.0',
      contact: { name: 'RentSport Support', email: 'support@rentsport.com', url: 'https://www.rentsport.com' },
      license: { name: 'MIT', url: 'https://opensource.org/licenses/MIT' },
      tags: [{ name: 'notifications', description: 'rental status notifications' }],
    },
    servers: { production: { ...BROKER, transport: 'amqp' } },
    services: {
      notifications: [{ definition: SendNotification, operation: 'sendNotification', schema: 'Notification' }],
    },
    // the contract is the plain JSON and its channel; how we bind queues to it is ours
    bindings: false,
    headers: false,
    jsonSchema: plainJsonSchema,
  })
}

/** Everything that travels over the brokers, with exchanges, queues, topics and routing keys. */
export function rentSportDocument(): AsyncApiDocument {
  const domainEvents = Object.values(events)
  return asyncapi({
    id: 'urn:rentsport:messages',
    info: { title: 'RentSport', version: '1.0.0' },
    servers: {
      commands: { ...BROKER, transport: 'amqp' },
      events: { host: 'kafka.rentsport.com', protocol: 'kafka', transport: 'kafka' },
    },
    definitions: [...domainEvents, NotifyRentalExpired, NotifyMaintenanceRequired, QuotePrice],
    services: {
      'notifications.renter': [NotifyRentalExpired],
      'notifications.owner': [NotifyMaintenanceRequired],
      reports: domainEvents,
      pricing: [QuotePrice],
    },
    jsonSchema: plainJsonSchema,
  })
}

const BROKER = { host: 'broker.rentsport.com', protocol: 'amqp' } as const

/** Without what only says how JavaScript checks it: the bounds of its safe integers, and patterns that spell out a format. */
function plainJsonSchema(schema: Schema): Record<string, unknown> {
  return z.toJSONSchema(schema as z.ZodType, {
    target: 'draft-7',
    io: 'input',
    override({ jsonSchema }) {
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
      if (jsonSchema.format !== undefined) delete jsonSchema.pattern
    },
  })
}
