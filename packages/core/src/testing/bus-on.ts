import type { Bus } from '../bus.ts'
import { createBus } from '../create-bus.ts'
import type { ParkedStore } from '../parked.ts'
import { retryPolicy } from '../retry.ts'
import type { Transport } from '../transport.ts'
import { createParkedList } from './parked-list.ts'

/** A bus on a client of its own, with waits short enough for a test; it parks by itself where the carrier can't. */
export function busOn(transport: Transport, parked?: ParkedStore): Bus {
  const store = parked ?? (transport.capabilities.deadLetter ? undefined : createParkedList())
  return createBus({
    transport,
    source: '/adapter-suite',
    parked: store,
    retry: retryPolicy({ inProcess: { tries: 3, firstMs: 10, maxMs: 50 }, roundsMs: [200] }),
  })
}
