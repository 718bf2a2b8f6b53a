import { UnsupportedError } from '../errors.ts'
import type { ParkedMessage, ParkedStore } from '../parked.ts'

/** Where a bus of the suite parks what a transport without dead letters can't keep. */
export function createParkedList(): ParkedStore {
  const parked = new Map<string, ParkedMessage>()
  let count = 0
  return {
    park: (messages) =>
      messages.map((message) => {
        count += 1
        const handle = String(count)
        parked.set(handle, { ...message, handle })
        return Promise.resolve()
      }),

    async *list(filter = {}) {
      for (const entry of parked.values()) {
        if (filter.service !== undefined && filter.service !== entry.service) continue
        if (filter.type !== undefined && filter.type !== entry.message.type) continue
        if (filter.orderingKey !== undefined && filter.orderingKey !== entry.message.orderingKey) continue
        yield entry
      }
    },
    replay: (handles) =>
      handles.map(() => Promise.reject(new UnsupportedError('the list of the suite only keeps: it can not replay'))),
    discard: (handles) =>
      handles.map((handle) => {
        parked.delete(handle)
        return Promise.resolve()
      }),
  }
}
