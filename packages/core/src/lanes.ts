import { Fifo } from './fifo.ts'

/** A key's place in line; an unkeyed item has one of its own. */
export interface Lane<T> {
  readonly key: string | undefined
  readonly items: Fifo<T>
  /** An item of it is running, or waits between two tries: no other of its key may start. */
  busy: boolean
}

/** An item with its place in line. */
export interface Taken<T> {
  readonly lane: Lane<T>
  readonly item: T
}

interface Group<T> {
  /** Lanes whose first item is of the group. */
  readonly ready: Fifo<Lane<T>>
  waiting: number
}

/**
 * Who may run next: one item per key at a time, keys in parallel up to `concurrency`, turn by turn, so that a key with
 * much to do never starves the others. Items of a group run together. A pure data structure: it holds items and starts
 * nothing by itself.
 */
export class Lanes<T> {
  readonly #byKey = new Map<string, Lane<T>>()
  /** Lanes in the order of their turns; one that is busy or empty when its turn comes is passed over. */
  readonly #ready = new Fifo<Lane<T>>()
  /** Items that were started and want to go on. */
  readonly #goingOn = new Fifo<Taken<T>>()
  readonly #groups = new Map<object, Group<T>>()
  readonly #groupOf: ((item: T) => object | undefined) | undefined
  #waiting = 0
  #running = 0
  concurrency: number

  /** `groupOf` names the group that an item is taken with; without it each is taken by itself. */
  constructor(concurrency: number, groupOf?: (item: T) => object | undefined) {
    this.concurrency = concurrency
    this.#groupOf = groupOf
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

  /** Items of the group not started yet. */
  waitingOf(group: object): number {
    return this.#groups.get(group)?.waiting ?? 0
  }

  add(key: string | undefined, item: T): void {
    this.#count(item, 1)
    const known = key === undefined ? undefined : this.#byKey.get(key)
    if (known !== undefined) return known.items.push(item)
    const lane = { key, items: new Fifo<T>(), busy: false }
    if (key !== undefined) this.#byKey.set(key, lane)
    lane.items.push(item)
    this.#enqueue(lane)
  }

  /** The next item that may run now; its lane stays closed until `finish`. */
  take(): Taken<T> | undefined {
    const again = this.takeAgain()
    if (again !== undefined || this.#running >= this.concurrency) return again
    for (let lane = this.#ready.shift(); lane !== undefined; lane = this.#ready.shift()) {
      if (!this.#opens(lane, undefined)) continue
      const item = lane.items.shift()!
      lane.busy = true
      this.#count(item, -1)
      this.#running++
      return { lane, item }
    }
    return undefined
  }

  /** The next that was started before and wants to go on. */
  takeAgain(): Taken<T> | undefined {
    if (this.#running >= this.concurrency) return undefined
    const again = this.#goingOn.shift()
    if (again !== undefined) this.#running++
    return again
  }

  /** Up to `size` items of the group that may run now, turn by turn, together in one place; until `finishGroup`. */
  takeGroup(group: object, size: number): readonly Taken<T>[] {
    const taken: Taken<T>[] = []
    const known = this.#groups.get(group)
    if (known === undefined || this.#running >= this.concurrency) return taken
    // lanes with more of the group, after each has had its turn
    const rotation = new Fifo<Lane<T>>()
    while (taken.length < size) {
      const fresh = known.ready.shift()
      const lane = fresh ?? rotation.shift()
      if (lane === undefined) break
      if (fresh !== undefined && !this.#opens(fresh, group)) continue
      const item = lane.items.shift()!
      lane.busy = true
      this.#count(item, -1)
      taken.push({ lane, item })
      const next = lane.items.peek()
      if (next !== undefined && this.#groupOf!(next) === group) rotation.push(lane)
    }
    if (taken.length > 0) this.#running++
    return taken
  }

  /** The lane's item is done; the next of its key goes to the end of the line. */
  finish(lane: Lane<T>): void {
    this.#running--
    this.#reopen(lane)
  }

  /** A group is done; those of `back`, in the order in which they were taken, are first in their lanes again. */
  finishGroup(lanes: Iterable<Lane<T>>, back: readonly Taken<T>[]): void {
    this.#running--
    for (let index = back.length - 1; index >= 0; index--) {
      const { lane, item } = back[index]!
      this.#count(item, 1)
      lane.items.unshift(item)
    }
    for (const lane of lanes) this.#reopen(lane)
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
    const lanes = new Set([...this.#byKey.values(), ...this.#ready])
    for (const { ready } of this.#groups.values()) for (const lane of ready) lanes.add(lane)
    for (const lane of lanes) out.push(...lane.items.extract(leaves))
    for (const item of out) this.#count(item, -1)
    return out
  }

  /** Whether the lane, whose turn has come in the queue of `group`, has an item of it to start. */
  #opens(lane: Lane<T>, group: object | undefined): boolean {
    if (lane.busy) return false
    const item = lane.items.peek()
    if (item === undefined) {
      this.#forget(lane)
      return false
    }
    // another item is first now
    const other = this.#groupOf?.(item) !== group
    if (other) this.#enqueue(lane)
    return !other
  }

  #enqueue(lane: Lane<T>): void {
    const group = this.#groupOf?.(lane.items.peek()!)
    if (group === undefined) this.#ready.push(lane)
    else this.#group(group).ready.push(lane)
  }

  #reopen(lane: Lane<T>): void {
    lane.busy = false
    if (lane.items.length > 0) this.#enqueue(lane)
    else this.#forget(lane)
  }

  #count(item: T, change: 1 | -1): void {
    this.#waiting += change
    const group = this.#groupOf?.(item)
    if (group !== undefined) this.#group(group).waiting += change
  }

  #group(name: object): Group<T> {
    let group = this.#groups.get(name)
    if (group === undefined) this.#groups.set(name, (group = { ready: new Fifo(), waiting: 0 }))
    return group
  }

  #forget({ key }: Lane<T>): void {
    if (key !== undefined) this.#byKey.delete(key)
  }
}
