import type { Placed } from '../bag.ts'
import { Fifo } from '../fifo.ts'
import { subjectMatches } from '../subject.ts'
import type { Source, SubscribeOptions } from '../transport.ts'
import type { Destination, WireHeaders, WireMessage } from '../wire-message.ts'
import type { MemorySettings } from './options.ts'

/** One message on its way to one service. */
export interface Entry extends Placed {
  readonly message: WireMessage
  readonly bytes: number
  /** Its place in all that this transport was given. */
  readonly sequence: number
  attempt: number
  /** Its publisher gave up before there was room. */
  withdrawn?: boolean
  notes: WireHeaders | undefined
}

/** An instance of the service, as its store sees it. */
export interface Taker {
  hasRoom(entry: Entry): boolean
  take(entry: Entry): void
  /** Starts what waited in the instance itself. */
  openBacklog(): void
}

interface Waiter {
  readonly entry: Entry
  readonly admit: () => void
}

const ENTRIES_PER_TURN = 1_000

/** What one service has not settled yet, and the subscriptions of its instances that share it. */
export class Store {
  readonly service: string
  readonly mode: SubscribeOptions['mode']
  readonly createdAt: number
  /** Whether a subscription has read from it yet; until then its `start` is open. */
  started = false
  readonly #sources: readonly Source[]
  readonly #settings: MemorySettings
  readonly #pending = new Fifo<Entry>()
  readonly #waiters = new Fifo<Waiter>()
  readonly #subscriptions: Taker[] = []
  readonly #timers = new Set<() => void>()
  /** Which instance has a key in its hands, and how many messages of it. */
  readonly #owners = new Map<string, { readonly subscription: Taker; count: number }>()
  #size = 0
  #bytes = 0
  #turn = 0
  #scheduled = false

  constructor(
    options: Pick<SubscribeOptions, 'service' | 'sources' | 'mode'>,
    createdAt: number,
    settings: MemorySettings,
  ) {
    this.service = options.service
    this.mode = options.mode
    this.createdAt = createdAt
    this.#sources = options.sources
    this.#settings = settings
  }

  get size(): number {
    return this.#size
  }

  get waiting(): number {
    return this.#waiters.length
  }

  reads(destination: Destination): boolean {
    return this.#sources.some(
      ({ kind, name, subjects }) =>
        kind === destination.kind &&
        name === destination.name &&
        (subjects === undefined || subjects.some((pattern) => subjectMatches(pattern, destination.subject ?? ''))),
    )
  }

  sourcesOf(kind: Source['kind']): readonly Source[] {
    return this.#sources.filter((source) => source.kind === kind)
  }

  /** Takes the entry at once and says so, or calls `admit` when there is room. */
  offer(entry: Entry, admit: () => void): boolean {
    this.#admitWaiting()
    if (this.#waiters.length > 0 || !this.hasRoom(entry)) {
      // those that gave up behind one that waits on
      if (this.#waiters.length >= 2 * this.#settings.maxWaiting)
        this.#waiters.extract((one) => one.entry.withdrawn === true)
      this.#waiters.push({ entry, admit })
      return false
    }
    this.accept(entry)
    return true
  }

  /** Takes the entry whatever the bounds say: history, and what was held elsewhere. */
  accept(entry: Entry): void {
    this.#size++
    this.#bytes += entry.bytes
    this.#pending.push(entry)
    this.wake()
  }

  /** Takes what is older than all it holds, in the order of the source. */
  acceptBefore(entries: Entry[]): void {
    for (const entry of entries) {
      this.#size++
      this.#bytes += entry.bytes
    }
    this.giveBack(entries)
  }

  /** Takes the entry now and lets it be seen after `delayMs`. */
  acceptLater(entry: Entry, delayMs: number): void {
    this.#size++
    this.#bytes += entry.bytes
    this.later(entry, delayMs)
  }

  /** Settled: the entry's room is free again. */
  drop(entry: Entry): void {
    this.#size--
    this.#bytes -= entry.bytes
    this.#admitWaiting()
  }

  /** Back to the front, in the order of the source. */
  giveBack(entries: Entry[]): void {
    let last = 0
    for (const { sequence } of entries) last = Math.max(last, sequence)
    // others that were given back before are there already
    for (let first = this.#pending.peek(); first !== undefined && first.sequence < last; first = this.#pending.peek()) {
      entries.push(this.#pending.shift()!)
    }
    entries.sort((one, other) => one.sequence - other.sequence)
    for (const entry of entries.reverse()) this.#pending.unshift(entry)
    this.wake()
  }

  /** To the end, not before `delayMs`. */
  later(entry: Entry, delayMs: number): void {
    if (delayMs <= 0) {
      this.#pending.push(entry)
      return this.wake()
    }
    const cancel = this.#settings.ports.timers.schedule(() => {
      this.#timers.delete(cancel)
      this.#pending.push(entry)
      this.wake()
    }, delayMs)
    this.#timers.add(cancel)
  }

  join(subscription: Taker): void {
    this.#subscriptions.push(subscription)
    this.wake()
  }

  leave(subscription: Taker): void {
    const index = this.#subscriptions.indexOf(subscription)
    if (index >= 0) this.#subscriptions.splice(index, 1)
    this.wake()
  }

  /** One message of the key left the hands of its instance. */
  letGo({ message: { orderingKey } }: Entry): void {
    if (this.mode !== 'ordered' || orderingKey === undefined) return
    const owner = this.#owners.get(orderingKey)
    if (owner !== undefined && --owner.count === 0) this.#owners.delete(orderingKey)
  }

  wake(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(() => this.#pump())
  }

  close(): void {
    for (const cancel of this.#timers) cancel()
    this.#timers.clear()
  }

  #pump(): void {
    this.#scheduled = false
    for (const subscription of this.#subscriptions) subscription.openBacklog()
    for (let left = ENTRIES_PER_TURN; this.#pending.length > 0; left--) {
      if (left === 0) {
        // timers and sockets must have their turn, however long the queue is
        this.#scheduled = true
        setImmediate(() => this.#pump())
        return
      }
      const entry = this.#pending.peek()!
      const subscription = this.#choose(entry)
      if (subscription === undefined) return
      this.#pending.shift()
      subscription.take(entry)
    }
  }

  #choose(entry: Entry): Taker | undefined {
    const free = this.#nextFree(entry)
    const { orderingKey } = entry.message
    if (free === undefined || this.mode !== 'ordered' || orderingKey === undefined) return free
    const owner = this.#owners.get(orderingKey)
    if (owner === undefined) {
      this.#owners.set(orderingKey, { subscription: free, count: 1 })
      return free
    }
    owner.count++
    return owner.subscription
  }

  #nextFree(entry: Entry): Taker | undefined {
    const count = this.#subscriptions.length
    for (let step = 0; step < count; step++) {
      const subscription = this.#subscriptions[(this.#turn + step) % count]!
      if (!subscription.hasRoom(entry)) continue
      this.#turn = (this.#turn + step + 1) % count
      return subscription
    }
    return undefined
  }

  #admitWaiting(): void {
    for (let next = this.#waiters.peek(); next !== undefined; next = this.#waiters.peek()) {
      if (next.entry.withdrawn !== true && !this.hasRoom(next.entry)) return
      this.#waiters.shift()
      if (next.entry.withdrawn === true) continue
      this.accept(next.entry)
      next.admit()
    }
  }

  /** Whether it may come in now, by number and bytes. */
  hasRoom(entry: Entry): boolean {
    if (this.#size === 0) return true
    return this.#size < this.#settings.maxQueued && this.#bytes + entry.bytes <= this.#settings.maxQueuedBytes
  }
}
