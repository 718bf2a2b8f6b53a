import type { Parked, ParkedMessage } from '../parked.ts'
import type { CallOptions, WireHeaders } from '../wire-message.ts'
import { PublishError } from '../errors.ts'
import { copyOf } from './copy.ts'
import type { Entry } from './store.ts'

/** The dead letters of a memory transport: bounded, listed without being touched. */
export class DeadLetters implements Parked {
  readonly #kept = new Map<string, { readonly item: ParkedMessage; readonly entry: Entry }>()
  readonly #most: number
  readonly #replay: (service: string, entry: Entry) => boolean
  #next = 1

  constructor(most: number, replay: (service: string, entry: Entry) => boolean) {
    this.#most = most
    this.#replay = replay
  }

  park(service: string, entry: Entry, notes: WireHeaders, nowMs: number): boolean {
    if (this.#kept.size >= this.#most) return false
    const handle = String(this.#next++)
    const message = copyOf(entry.message, notes)
    const item = {
      handle,
      service,
      reason: text(notes, 'waybill-reason'),
      attempts: attempts(notes, entry),
      parkedAtMs: nowMs,
      message,
    }
    this.#kept.set(handle, { item, entry })
    return true
  }

  async *list(filter: Parameters<Parked['list']>[0] = {}, options?: CallOptions): AsyncGenerator<ParkedMessage> {
    for (const { item } of [...this.#kept.values()]) {
      options?.signal?.throwIfAborted()
      const { service, message } = item
      if (filter.service !== undefined && filter.service !== service) continue
      if (filter.type !== undefined && filter.type !== message.type) continue
      if (filter.orderingKey !== undefined && filter.orderingKey !== message.orderingKey) continue
      yield { ...item, message: copyOf(message) }
    }
  }

  replay(handles: readonly string[]): readonly Promise<void>[] {
    return handles.map((handle) => {
      const kept = this.#kept.get(handle)
      if (kept === undefined) return Promise.reject(unknown(handle))
      const entry = { ...kept.entry, attempt: 1, notes: undefined }
      if (!this.#replay(kept.item.service, entry)) {
        const service = kept.item.service
        return Promise.reject(
          new PublishError(`service "${service}" is not known here: start it`, { scope: 'destination' }),
        )
      }
      this.#kept.delete(handle)
      return Promise.resolve()
    })
  }

  discard(handles: readonly string[]): readonly Promise<void>[] {
    return handles.map((handle) => (this.#kept.delete(handle) ? Promise.resolve() : Promise.reject(unknown(handle))))
  }
}

function unknown(handle: string): PublishError {
  return new PublishError(`nothing is parked under "${handle}": list again`, { retryable: false })
}

function text(notes: WireHeaders, name: string): string {
  const value = notes[name]
  return typeof value === 'string' ? value : ''
}

function attempts(notes: WireHeaders, entry: Entry): number {
  const counted = Number(text(notes, 'waybill-failures'))
  return counted >= 1 ? counted : entry.attempt
}
