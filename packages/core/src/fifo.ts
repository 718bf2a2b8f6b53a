/** A queue that takes and gives at both ends in constant time, on a ring whose size is a power of two. */
export class Fifo<T> {
  #ring: (T | undefined)[] = new Array<T | undefined>(2)
  #head = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  push(item: T): void {
    if (this.#length === this.#ring.length) this.#resize(this.#ring.length * 2)
    this.#ring[(this.#head + this.#length) & (this.#ring.length - 1)] = item
    this.#length++
  }

  unshift(item: T): void {
    if (this.#length === this.#ring.length) this.#resize(this.#ring.length * 2)
    this.#head = (this.#head - 1) & (this.#ring.length - 1)
    this.#ring[this.#head] = item
    this.#length++
  }

  peek(): T | undefined {
    return this.#ring[this.#head]
  }

  shift(): T | undefined {
    if (this.#length === 0) return undefined
    const item = this.#ring[this.#head]
    this.#ring[this.#head] = undefined
    this.#head = (this.#head + 1) & (this.#ring.length - 1)
    this.#length--
    // a burst must not keep its memory for ever
    if (this.#ring.length > 1_024 && this.#length < this.#ring.length / 8) this.#resize(this.#ring.length / 4)
    return item
  }

  /** Takes out all items that `leaves` says yes to; the others stay in order. */
  extract(leaves: (item: T) => boolean): T[] {
    const out: T[] = []
    for (let left = this.#length; left > 0; left--) {
      const item = this.shift()!
      if (leaves(item)) out.push(item)
      else this.push(item)
    }
    return out
  }

  *[Symbol.iterator](): Generator<T> {
    for (let index = 0; index < this.#length; index++) {
      yield this.#ring[(this.#head + index) & (this.#ring.length - 1)]!
    }
  }

  #resize(size: number): void {
    const ring = new Array<T | undefined>(size)
    for (let index = 0; index < this.#length; index++) {
      ring[index] = this.#ring[(this.#head + index) & (this.#ring.length - 1)]
    }
    this.#ring = ring
    this.#head = 0
  }
}
