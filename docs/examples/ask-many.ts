import { defineRequest, respond, type Bus } from '@waybill/core'
import { z } from 'zod'

// #region example
export const CountFree = defineRequest('branch.count-free', {
  schema: z.object({ model: z.string() }),
  reply: z.object({ free: z.number().int() }),
})

/** Each branch is a service of its own. */
export const openBranch = (bus: Bus, branch: string, stock: Record<string, number>) =>
  bus.subscribe(branch, [respond(CountFree, ({ model }) => ({ free: stock[model] ?? 0 }))])

export async function freeIn(bus: Bus, branches: readonly string[], model: string) {
  const { replies, failures, missing } = await bus.gather(CountFree, { model }, { timeoutMs: 500, expect: branches })
  return {
    free: Object.fromEntries(replies.map(({ service, data }) => [service, data.free])),
    unknown: [...failures.map(({ service }) => service), ...missing],
  }
}
// #endregion
