import { ConnectionError, UnsupportedError } from '../../errors.ts'
import type { ParkedMessage, ParkedStore } from '../../parked.ts'
import type { Faults } from '../faults.ts'
import type { Owner, Scheduler } from '../scheduler.ts'

/** A durable store of given-up messages, for brokers without dead letters. It only keeps. */
export class ParkingLot implements ParkedStore {
  readonly #items: ParkedMessage[] = []
  readonly #scheduler: Scheduler
  readonly #faults: Faults
  readonly #owner: Owner = { name: 'parking lot', alive: true }

  readonly #onParked: (id: string) => void

  constructor(scheduler: Scheduler, faults: Faults, onParked: (id: string) => void) {
    this.#onParked = onParked
    this.#scheduler = scheduler
    this.#faults = faults
  }

  holds(service: string, id: string): boolean {
    return this.#items.some((item) => item.service === service && item.message.id === id)
  }

  park(messages: readonly Omit<ParkedMessage, 'handle'>[]): readonly Promise<void>[] {
    return messages.map(
      (message) =>
        new Promise<void>((resolve, reject) => {
          const store = () => {
            if (this.#faults.happens('deadLetterFails')) return reject(new ConnectionError('the store is away'))
            this.#onParked(message.message.id)
            this.#items.push({ ...message, handle: String(this.#items.length) })
            this.#scheduler.schedule(this.#owner, resolve, this.#faults.hopMs())
          }
          this.#scheduler.schedule(this.#owner, store, this.#faults.hopMs())
        }),
    )
  }

  async *list(): AsyncGenerator<ParkedMessage> {
    yield* this.#items
  }

  replay(handles: readonly string[]): readonly Promise<void>[] {
    return handles.map(() => Promise.reject(new UnsupportedError('the parking lot only keeps')))
  }

  discard(handles: readonly string[]): readonly Promise<void>[] {
    return this.replay(handles)
  }
}
