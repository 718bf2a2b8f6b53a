import type { IntakeContext } from '../intake-context.ts'
import { isSettlement } from '../is-settlement.ts'
import type { Settlement } from '../transport.ts'
import type { Work } from '../work.ts'
import { contextOf } from './context-of.ts'
import type { IncomingDelivery, Middleware } from './middleware.ts'
import type { Next, Step } from './step.ts'

/** A user's middleware as a step. */
export function userStep(middleware: Middleware, context: IntakeContext): Step {
  return async (work, next) => {
    let called: Promise<Settlement> | undefined
    const settlement: unknown = await middleware(viewOf(work, context), () => {
      if (called !== undefined) return Promise.reject(new Error('a middleware called next twice: call it once a try'))
      called = run(next, work)
      // one that does not wait for it has its reasons
      called.catch(() => {})
      return called
    })
    if (isSettlement(settlement)) return settlement
    throw new TypeError('a middleware returned no settlement: return what next() gives, or one of your own')
  }
}

async function run(next: Next, work: Work): Promise<Settlement> {
  return await next(work)
}

function viewOf(work: Work, context: IntakeContext): IncomingDelivery {
  const { definition } = work.route!
  return Object.assign(contextOf(work, context), { definition, data: work.data })
}
