import type { Bus } from '../bus.ts'
import { createBus } from '../create-bus.ts'
import { retryPolicy } from '../retry.ts'
import type { Transport } from '../transport.ts'

/** A bus on a client of its own, with waits short enough for a test. */
export function busOn(transport: Transport): Bus {
  return createBus({
    transport,
    source: '/adapter-suite',
    retry: retryPolicy({ inProcess: { tries: 3, firstMs: 10, maxMs: 50 }, roundsMs: [200] }),
  })
}
