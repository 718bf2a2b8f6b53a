import { defineRequest } from '@waybill/core'
import { z } from 'zod'
import { currency, integerId, minorUnits } from './words.ts'

/** What a rental of so many days would cost. */
export const QuotePrice = defineRequest('pricing.quote', {
  schema: z.object({ equipment_id: integerId, days: z.int().min(1).max(90) }),
  reply: z.object({ equipment_id: integerId, days: z.int(), amount_minor: minorUnits, currency }),
  destination: { name: 'rentsport.pricing', transport: 'amqp' },
  ttlMs: 10_000,
})

/** How much of a category a branch has free; asked of all branches at once, each answers for itself. */
export const CountFree = defineRequest('branch.count-free', {
  schema: z.object({ category: z.string().min(1).max(50) }),
  reply: z.object({ owner_id: integerId, units_free: z.int().min(0) }),
  destination: { name: 'rentsport.branches', transport: 'amqp' },
  ttlMs: 10_000,
})
