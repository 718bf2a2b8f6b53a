/** Work of one key one after another, of all keys so many at once. */
export class Lanes {
  readonly #maxAtOnce: number
  readonly #last = new Map<string, Promise<void>>()
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(maxAtOnce: number) {
    this.#maxAtOnce = maxAtOnce
  }

  /** Resolves when the work was begun: await it, and what comes in is held. `work` must not reject. */
  async run(key: string, work: () => Promise<void>): Promise<void> {
    while (this.#running >= this.#maxAtOnce) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#running++
    const done = (this.#last.get(key) ?? Promise.resolve()).then(work).finally(() => {
      if (this.#last.get(key) === done) this.#last.delete(key)
      this.#running--
      this.#waiting.shift()?.()
    })
    this.#last.set(key, done)
  }

  async idle(): Promise<void> {
    while (this.#last.size > 0) await Promise.allSettled(this.#last.values())
  }
}
