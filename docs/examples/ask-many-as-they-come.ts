import type { Bus } from '@waybill/core'
import { CountFree } from './ask-many.ts'

/** The first branch that has enough of a model. */
export async function firstBranchWith(bus: Bus, model: string, wanted: number) {
  // #region example
  for await (const { service, data } of bus.gather(CountFree, { model }, { timeoutMs: 500 })) {
    // an answer without data is an error
    if (data !== undefined && data.free >= wanted) return service
  }
  // #endregion
  return undefined
}
