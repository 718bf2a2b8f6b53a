import { respond, type Bus } from '@waybill/core'
import { QuotePrice } from './domain.ts'

export async function priceOf(bus: Bus) {
  // #region example
  await bus.subscribe('pricing', [respond(QuotePrice, ({ days }) => ({ cents: days * 1_500 }))])
  const { cents } = await bus.request(QuotePrice, { skiId: 's-42', days: 3 }, { timeoutMs: 2_000 })
  // #endregion
  return cents
}
