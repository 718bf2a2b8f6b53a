import { Fifo } from './fifo.ts'

/** A key's place in line; an unkeyed item has one of its own. */
export interface Lane<T> {
  readonly key: string | undefined
  readonly items: Fifo<T>
  /** An item of it is running, or waits between two tries: no other of its key may start. */
  busy: boolean
}

/**
 * Who may run next: one item per key at a time, keys in parallel up to `concurrency`, turn by turn, so that a key with
 * much to do never starves the others. A pure data structure: it holds items and starts nothing by itself.
 */
export class Lanes<T> {
  readonly #byKey = new Map<string, Lane<T>>()
  /** Lanes in the order of their turns; one that is busy or empty when its turn comes is passed over. */
  readonly #ready = new Fifo<Lane<T>>()
  /** Items that were started and want to go on. */
  readonly #goingOn = new Fifo<{ readonly lane: Lane<T>; readonly item: T }>()
  #waiting = 0
  #running = 0
  concurrency: number

  constructor(concurrency: number) {
    this.concurrency = concurrency
  }

  /** Items not started yet. */
  get waiting(): number {
    return this.#waiting
  }

  get running(): number {
    return this.#running
  }

  /** Whether there may be something to take, were it not for what the caller waits for. */
  get ready(): boolean {
    return this.#running < this.concurrency && (this.#waiting > 0 || this.#goingOn.length > 0)
  }

  add(key: string | undefined, item: T): void {
    this.#waiting++
    const known = key === undefined ? undefined : this.#byKey.get(key)
    if (known !== undefined) return known.items.push(item)
    const lane = { key, items: new Fifo<T>(), busy: false }
    if (key !== undefined) this.#byKey.set(key, lane)
    lane.items.push(item)
    this.#ready.push(lane)
  }

  /** The next item that may run now; its lane stays closed until `finish`. */
  take(): { readonly lane: Lane<T>; readonly item: T } | undefined {
    if (this.#running >= this.concurrency) return undefined
    const again = this.#goingOn.shift()
    if (again !== undefined) {
      this.#running++
      return again
    }
    for (let lane = this.#ready.shift(); lane !== undefined; lane = this.#ready.shift()) {
      if (lane.busy) continue
      const item = lane.items.shift()
      if (item === undefined) {
        this.#forget(lane)
        continue
      }
      lane.busy = true
      this.#waiting--
      this.#running++
      return { lane, item }
    }
    return undefined
  }

  /** The lane's item is done; the next of its key goes to the end of the line. */
  finish(lane: Lane<T>): void {
    this.#running--
    lane.busy = false
    if (lane.items.length > 0) this.#ready.push(lane)
    else this.#forget(lane)
  }

  /** Lets others run while the lane's item waits; its key stays closed. */
  suspend(): void {
    this.#running--
  }

  /** The lane's suspended item goes on as soon as `take` comes to it, before any that has not started. */
  resume(lane: Lane<T>, item: T): void {
    this.#goingOn.push({ lane, item })
  }

  /** The suspended item goes on at once, above the limit if need be: it was taken back, and only has to end. */
  resumeNow(item: T): void {
    this.#goingOn.extract((other) => other.item === item)
    this.#running++
  }

  /** Takes out items that have not started, in order within each key. */
  extract(leaves: (item: T) => boolean): T[] {
    const out: T[] = []
    for (const lane of new Set([...this.#byKey.values(), ...this.#ready])) out.push(...lane.items.extract(leaves))
    this.#waiting -= out.length
    return out
  }

  #forget({ key }: Lane<T>): void {
    if (key !== undefined) this.#byKey.delete(key)
  }
}
