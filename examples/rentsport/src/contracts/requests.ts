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
