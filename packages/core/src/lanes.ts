import { Fifo } from './fifo.ts'

/** A key's place in line; an unkeyed item has one of its own. */
export interface Lane<T> {
  readonly key: string | undefined
  readonly items: Fifo<T>
}

/**
 * Who may run next: one item per key at a time, keys in parallel up to `concurrency`, turn by turn, so that a key with
 * much to do never starves the others. A pure data structure: it holds items and starts nothing by itself.
 */
export class Lanes<T> {
  readonly #byKey = new Map<string, Lane<T>>()
  readonly #ready = new Fifo<Lane<T>>()
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

  add(key: string | undefined, item: T): void {
    this.#waiting++
    let lane = key === undefined ? undefined : this.#byKey.get(key)
    if (lane !== undefined) return lane.items.push(item)
    lane = { key, items: new Fifo() }
    if (key !== undefined) this.#byKey.set(key, lane)
    lane.items.push(item)
    this.#ready.push(lane)
  }

  /** The next item that may run now; its lane stays closed until `finish`. */
  take(): { readonly lane: Lane<T>; readonly item: T } | undefined {
    while (this.#running < this.concurrency) {
      const lane = this.#ready.shift()
      if (lane === undefined) return undefined
      const item = lane.items.shift()
      if (item === undefined) {
        if (lane.key !== undefined) this.#byKey.delete(lane.key)
        continue
      }
      this.#waiting--
      this.#running++
      return { lane, item }
    }
    return undefined
  }

  /** The lane's item is done; the next of its key goes to the end of the line. */
  finish(lane: Lane<T>): void {
    this.#running--
    if (lane.items.length > 0) this.#ready.push(lane)
    else if (lane.key !== undefined) this.#byKey.delete(lane.key)
  }

  /** Lets others run while the lane's item waits; its key stays closed. */
  suspend(): void {
    this.#running--
  }

  /** The lane's item goes on as soon as `take` comes to it, before the others of its key. */
  resume(lane: Lane<T>, item: T): void {
    this.#waiting++
    lane.items.unshift(item)
    this.#ready.push(lane)
  }

  /** Takes out items that have not started, in order within each key. */
  extract(leaves: (item: T) => boolean): T[] {
    const out: T[] = []
    const seen = new Set<Lane<T>>([...this.#byKey.values(), ...this.#ready])
    for (const lane of seen) out.push(...lane.items.extract(leaves))
    this.#waiting -= out.length
    return out
  }
}
