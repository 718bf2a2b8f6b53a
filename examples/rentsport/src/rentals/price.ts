import type { Currency } from '../contracts/words.ts'

export interface Price {
  readonly amount_minor: number
  readonly currency: Currency
}

/** What so many days cost: whole minor units, no floating point on the way. */
export function priceOf(
  equipment: { readonly price_per_day_minor: number; readonly currency: Currency },
  days: number,
): Price {
  return { amount_minor: equipment.price_per_day_minor * days, currency: equipment.currency }
}
