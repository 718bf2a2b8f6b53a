import { PublishError } from '../../errors.ts'
import type { Parked, ParkedMessage } from '../../parked.ts'
import type { Entry } from './entry.ts'

/** The broker's dead letters: durable, listed without being touched. */
export class BrokerDeadLetters implements Parked {
  readonly #kept = new Map<string, { readonly item: ParkedMessage; readonly entry: Entry }>()
  readonly #replay: (entry: Entry) => boolean
  #next = 1

  /** `replay` says whether the service is still there. */
  constructor(replay: (entry: Entry) => boolean) {
    this.#replay = replay
  }

  add(entry: Entry, nowMs: number): void {
    const handle = String(this.#next++)
    const { service, message, notes = {} } = entry
    const headers = Object.assign(Object.create(null), message.headers, notes) as typeof message.headers
    const attempts = Number(notes['waybill-failures'] ?? entry.attempt)
    const reason = String(notes['waybill-reason'] ?? '')
    const item = { handle, service, reason, attempts, parkedAtMs: nowMs, message: { ...message, headers } }
    this.#kept.set(handle, { item, entry })
  }

  async *list(filter: Parameters<Parked['list']>[0] = {}): AsyncGenerator<ParkedMessage> {
    for (const { item } of [...this.#kept.values()]) {
      if (filter.service !== undefined && filter.service !== item.service) continue
      if (filter.type !== undefined && filter.type !== item.message.type) continue
      if (filter.orderingKey !== undefined && filter.orderingKey !== item.message.orderingKey) continue
      yield item
    }
  }

  replay(handles: readonly string[]): readonly Promise<void>[] {
    return handles.map((handle) => this.#take(handle, ({ entry }) => this.#replay(entry)))
  }

  discard(handles: readonly string[]): readonly Promise<void>[] {
    return handles.map((handle) => this.#take(handle, () => true))
  }

  #take(handle: string, then: (kept: { readonly entry: Entry }) => boolean): Promise<void> {
    const kept = this.#kept.get(handle)
    if (kept === undefined) {
      return Promise.reject(new PublishError(`nothing is parked under "${handle}"`, { retryable: false }))
    }
    if (!then(kept)) return Promise.reject(new PublishError(`the service of "${handle}" is gone`, { retryable: false }))
    this.#kept.delete(handle)
    return Promise.resolve()
  }
}
