import type { Capabilities } from '../capabilities.ts'
import { Bag } from '../bag.ts'
import { Fifo } from '../fifo.ts'
import type { Timers } from '../ports.ts'
import type { Delivery, Settlement, SubscribeOptions, Subscription } from '../transport.ts'
import { copyOf } from './copy.ts'
import type { Entry, Store } from './store.ts'

/** What a subscription needs of its transport. */
export interface SubscriptionHost {
  readonly timers: Timers
  readonly capabilities: Capabilities
  /** Keeps a message that was given up on; false while there is no room. */
  park(service: string, entry: Entry, notes: Record<string, string | Uint8Array>): boolean
  /** Called when the subscription has stopped. */
  gone(subscription: MemorySubscription): void
}

const PARK_AGAIN_MS = 100
const DRAIN_MS = 10_000

/** One instance of a service: a window of open deliveries over the service's store. */
export class MemorySubscription implements Subscription {
  readonly capabilities: Capabilities
  readonly ended: Promise<Error | undefined>
  readonly store: Store
  readonly #options: SubscribeOptions
  readonly #deliver: (delivery: Delivery) => Promise<Settlement>
  readonly #host: SubscriptionHost
  readonly #open = new Bag<Entry>()
  /** Messages of keys that this instance has in hand, waiting for room in the window. */
  readonly #backlog = new Fifo<Entry>()
  #returned: Entry[] = []
  #openBytes = 0
  #recalled = new AbortController()
  #signal = new AbortController()
  #recalling = false
  #paused = false
  #stopping: Promise<void> | undefined
  #onEmpty: (() => void) | undefined
  #end!: (error: Error | undefined) => void

  constructor(
    store: Store,
    options: SubscribeOptions,
    deliver: (delivery: Delivery) => Promise<Settlement>,
    host: SubscriptionHost,
  ) {
    this.store = store
    this.#options = options
    this.#deliver = deliver
    this.#host = host
    this.capabilities = host.capabilities
    this.ended = new Promise((resolve) => (this.#end = resolve))
  }

  hasRoom(entry: Entry): boolean {
    return this.#backlog.length === 0 && this.#fits(entry)
  }

  take(entry: Entry): void {
    if (this.hasRoom(entry)) this.#start(entry)
    else this.#backlog.push(entry)
  }

  openBacklog(): void {
    for (let entry = this.#backlog.peek(); entry !== undefined && this.#fits(entry); entry = this.#backlog.peek()) {
      this.#backlog.shift()
      this.#start(entry)
    }
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.store.wake()
  }

  stop({ drainTimeoutMs = DRAIN_MS }: { readonly drainTimeoutMs?: number | undefined } = {}): Promise<void> {
    return (this.#stopping ??= this.#stop(drainTimeoutMs))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #stop(drainTimeoutMs: number): Promise<void> {
    this.#recalled.abort()
    if (this.#open.size > 0) {
      await new Promise<void>((resolve) => {
        const cancel = this.#host.timers.schedule(resolve, drainTimeoutMs)
        this.#onEmpty = () => {
          cancel()
          resolve()
        }
        if (this.#open.size === 0) this.#onEmpty()
      })
    }
    this.#signal.abort()
    for (const entry of this.#open) {
      // at most once: it was settled before it was delivered
      if (this.#options.ackBefore) break
      entry.attempt++
      this.#returned.push(entry)
    }
    this.#open.clear()
    this.store.leave(this)
    this.#giveBack()
    this.#host.gone(this)
    this.#end(undefined)
  }

  #fits(entry: Entry): boolean {
    if (this.#paused || this.#recalling || this.#stopping !== undefined) return false
    // one that is larger than the whole window goes alone
    if (this.#open.size === 0) return true
    return this.#open.size < this.#options.maxOpen && this.#openBytes + entry.bytes <= this.#options.maxOpenBytes
  }

  #start(entry: Entry): void {
    if (this.#options.ackBefore) {
      this.store.letGo(entry)
      this.store.drop(entry)
    }
    this.#open.add(entry)
    this.#openBytes += entry.bytes
    const signal = this.#signal
    const delivery: Delivery = {
      message: copyOf(entry.message, entry.notes),
      attempt: entry.attempt,
      position: String(entry.sequence),
      recalled: this.#recalled.signal,
      signal: signal.signal,
    }
    let outcome: Promise<Settlement>
    try {
      outcome = this.#deliver(delivery)
    } catch {
      outcome = Promise.resolve({ outcome: 'release' })
    }
    outcome.then(
      (settlement) => this.#settle(entry, settlement, signal),
      () => this.#settle(entry, { outcome: 'release' }, signal),
    )
  }

  #settle(entry: Entry, settlement: Settlement, signal: AbortController): void {
    if (signal.signal.aborted || !this.#open.has(entry)) return
    if (this.#options.ackBefore) return this.#close(entry)
    switch (settlement.outcome) {
      case 'ack':
        this.store.letGo(entry)
        this.store.drop(entry)
        break
      case 'requeue':
        entry.attempt++
        entry.notes = settlement.notes
        this.store.letGo(entry)
        this.store.later(entry, settlement.delayMs)
        break
      case 'deadLetter':
        if (!this.#host.park(this.#options.service, entry, settlement.notes)) {
          // the delivery stays open until the dead letter is safe (R16)
          this.#host.timers.schedule(() => this.#settle(entry, settlement, signal), PARK_AGAIN_MS)
          return
        }
        this.store.letGo(entry)
        this.store.drop(entry)
        break
      case 'release':
        this.#returned.push(entry)
        if (this.#options.mode === 'ordered') this.#recall()
    }
    this.#close(entry)
  }

  #close(entry: Entry): void {
    this.#open.delete(entry)
    this.#openBytes -= entry.bytes
    if (this.#options.mode !== 'ordered') this.#giveBack()
    if (this.#open.size === 0) {
      if (this.#recalling || this.#paused) this.#endRecall()
      this.#onEmpty?.()
    }
    this.store.wake()
  }

  /** An ordered service gives all back together, or a later message of a key would overtake (R14). */
  #recall(): void {
    if (this.#recalling || this.#stopping !== undefined) return
    this.#recalling = true
    this.#recalled.abort()
  }

  #endRecall(): void {
    if (this.#recalling) this.#recalled = new AbortController()
    this.#recalling = false
    this.#giveBack()
  }

  #giveBack(): void {
    if (this.#returned.length === 0 && this.#backlog.length === 0) return
    if (this.#options.mode !== 'ordered' && this.#returned.length === 0) return
    const entries = this.#returned
    this.#returned = []
    for (let entry = this.#backlog.shift(); entry !== undefined; entry = this.#backlog.shift()) entries.push(entry)
    for (const entry of entries) this.store.letGo(entry)
    this.store.giveBack(entries)
  }
}
