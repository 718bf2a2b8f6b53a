import { on, onBatch, type Bus, type Middleware } from '@waybill/core'
import { PriceFeed, RentalBooked } from './flow-domain.ts'

export async function subscribeAll(bus: Bus, insertAll: (prices: readonly unknown[]) => Promise<void>, done: string[]) {
  // #region example
  const timed: Middleware = async ({ message, service }, next) => {
    const settlement = await next()
    done.push(`${service}: ${message.type} ${settlement.outcome}`)
    return settlement
  }

  await bus.subscribe('mail', [on(RentalBooked, ({ email }) => void done.push(`mail to ${email}`))], {
    concurrency: 5,
    rateLimit: { perSecond: 10, burst: 2 },
    circuit: { failures: 5, windowMs: 30_000 },
    middleware: [timed],
  })

  await bus.subscribe('prices', [onBatch(PriceFeed, (prices) => insertAll(prices), { size: 100, waitMs: 50 })])
  // #endregion
}
