import type { Bus } from '../bus.ts'
import { createBus } from '../create-bus.ts'
import { retryPolicy } from '../retry.ts'
import type { Transport } from '../transport.ts'
import { createParkedList } from './parked-list.ts'

/** A bus on a client of its own, with waits short enough for a test; it parks by itself where the carrier can't. */
export function busOn(transport: Transport): Bus {
  return createBus({
    transport,
    source: '/adapter-suite',
    ...(!transport.capabilities.deadLetter && { parked: createParkedList() }),
    retry: retryPolicy({ inProcess: { tries: 3, firstMs: 10, maxMs: 50 }, roundsMs: [200] }),
  })
}
