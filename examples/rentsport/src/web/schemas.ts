import { z } from '@hono/zod-openapi'
import { currency, integerId, minorUnits, rentalStatus, timestamp } from '../contracts/words.ts'

/** What the HTTP API takes and gives; input is checked by the very schemas that describe it. */
export const MAX_DAYS = 90

const text = (maxLength: number) =>
  z
    .string()
    .min(1)
    .max(maxLength)
    // PostgreSQL has no place for it in text.
    .refine((value) => !value.includes('\0'), 'must not hold a NUL character')

const wholeNumber = (example: number) =>
  z
    .string()
    .regex(/^\d{1,10}$/, 'must be a whole number')
    .transform(Number)
    .pipe(integerId)
    .openapi({ type: 'integer', example })

export const idParameter = z.object({ id: wholeNumber(1).openapi({ param: { name: 'id', in: 'path' } }) })
export const userQuery = z.object({ user_id: wholeNumber(1).openapi({ param: { name: 'user_id', in: 'query' } }) })
export const paymentParameter = z.object({ id: text(200).openapi({ param: { name: 'id', in: 'path' } }) })
export const paymentQuery = z.object({
  payment_id: text(200).openapi({ param: { name: 'payment_id', in: 'query' } }),
})
export const quoteQuery = z.object({
  equipment_id: wholeNumber(1).openapi({ param: { name: 'equipment_id', in: 'query' } }),
  days: wholeNumber(3).openapi({ param: { name: 'days', in: 'query' } }),
})

export const availabilityQuery = z.object({
  category: text(50).openapi({ param: { name: 'category', in: 'query' }, example: 'ski' }),
})

export const rentalOrder = z
  .object({
    equipment_id: integerId,
    user_id: integerId,
    days: z.int().min(1).max(MAX_DAYS),
    payment_method: text(200)
      .regex(/^(?:card:\d{12,19}|paypal:\S.*)$/, 'must be card:NUMBER (digits only) or paypal:ACCOUNT')
      .openapi({ example: 'card:4242424242424242' }),
  })
  .openapi('RentalOrder')

export const problem = z
  .object({ code: z.string(), message: z.string(), field: z.string().optional() })
  .openapi('Problem')

export const user = z
  .object({ id: z.int(), name: z.string(), language: z.enum(['ru', 'en']), channel: z.enum(['email', 'sms', 'push']) })
  .openapi('User')

export const equipment = z
  .object({
    id: z.int(),
    category: z.string(),
    name_en: z.string(),
    name_ru: z.string(),
    price_per_day_minor: minorUnits,
    currency,
    owner_id: z.int(),
    units: z.int(),
    units_free: z.int(),
    status: z.enum(['available', 'rented']),
    maintenance_every_hours: z.int(),
    hours_since_maintenance: z.number(),
    maintenance_due_since: timestamp.nullable(),
  })
  .openapi('Equipment')

export const rental = z
  .object({
    id: z.int(),
    equipment_id: z.int(),
    user_id: z.int(),
    days: z.int(),
    payment_id: z.string(),
    amount_minor: minorUnits,
    currency,
    status: rentalStatus,
    reason: z.string().nullable(),
    booked_at: timestamp,
    starts_at: timestamp.nullable(),
    ends_at: timestamp.nullable(),
    closed_at: timestamp.nullable(),
  })
  .openapi('Rental')

export const quote = z
  .object({ equipment_id: z.int(), days: z.int(), amount_minor: minorUnits, currency })
  .openapi('Quote')

export const availability = z
  .object({
    category: z.string(),
    branches: z.array(z.object({ owner_id: z.int(), units_free: z.int() })),
    /** Owners whose branch did not answer in time. */
    unknown: z.array(z.int()),
  })
  .openapi('Availability')

export const charge = z
  .object({ payment_id: z.string(), amount_minor: minorUnits, currency: z.string(), at: timestamp })
  .openapi('Charge')

export const notification = z
  .object({
    id: z.int(),
    type: z.string(),
    inventory_id: z.int(),
    user_id: z.int(),
    message: z.string(),
    /** As the sender gave it. */
    timestamp,
    channels: z.array(z.string()),
    /** When it was delivered. */
    at: timestamp,
  })
  .openapi('Notification')

export const parked = z
  .object({
    handle: z.string(),
    service: z.string(),
    type: z.string(),
    reason: z.string(),
    attempts: z.int(),
    parked_at: timestamp,
  })
  .openapi('Parked')

export const report = z
  .object({
    revenue: z.array(z.object({ currency, amount_minor: z.number(), payments: z.int() })),
    active_rentals: z.int(),
    rentals: z.record(z.string(), z.int()),
    payments: z.record(z.string(), z.int()),
    utilisation: z.array(z.object({ equipment_id: z.int(), hours: z.number(), share: z.number() })),
  })
  .openapi('Report')

const part = z.object({
  part: z.string(),
  state: z.enum(['up', 'degraded', 'down']),
  since: timestamp,
  reason: z.string().optional(),
  lag: z.number().optional(),
  pid: z.int().optional(),
})

export const health = z
  .object({
    status: z.enum(['up', 'down']),
    parts: z.array(part),
    /** By the name of the room. */
    pids: z.object({ main: z.int() }).catchall(z.int().nullable()),
  })
  .openapi('Health')
