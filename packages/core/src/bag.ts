/** An item remembers its own place, so that a bag needs no search and no table. */
export interface Placed {
  /** Where it lies in its bag; only the bag writes it. */
  place: number
}

/**
 * A set for what comes and goes with each message; an item lies in one bag at a time. In place of `Set`, whose tables,
 * once one of them is old, keep each other alive: the garbage collector then takes every dead message for a living one.
 */
export class Bag<T extends Placed> implements Iterable<T> {
  readonly #items: T[] = []

  get size(): number {
    return this.#items.length
  }

  has(item: T): boolean {
    return this.#items[item.place] === item
  }

  add(item: T): void {
    item.place = this.#items.length
    this.#items.push(item)
  }

  /** Whether it was in. */
  delete(item: T): boolean {
    if (!this.has(item)) return false
    const last = this.#items.pop()!
    if (last !== item) {
      this.#items[item.place] = last
      last.place = item.place
    }
    item.place = -1
    return true
  }

  clear(): void {
    this.#items.length = 0
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#items[Symbol.iterator]()
  }
}
