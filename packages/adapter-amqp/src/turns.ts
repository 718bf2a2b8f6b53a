/** Work that is done while nothing of a service is open; one after another, and nothing else is begun meanwhile. */
export class Turns {
  readonly #waiting: (() => Promise<void>)[] = []
  readonly #onOver: () => void
  #begin: (() => void) | undefined
  #taken = false

  /** @param onOver called when the last of them is done, or the next one waits */
  constructor(onOver: () => void) {
    this.#onOver = onOver
  }

  /** Whether one is wanted or under way, so that nothing else may begin. */
  get taken(): boolean {
    return this.#taken
  }

  /** @param work handles its own errors; @param idle whether nothing is open */
  take(work: () => Promise<void>, idle: boolean): void {
    if (this.#taken) {
      this.#waiting.push(work)
      return
    }
    this.#taken = true
    this.#begin = () => {
      this.#begin = undefined
      void work().finally(() => this.#end())
    }
    if (idle) this.#begin()
  }

  /** Nothing is open any more. */
  idle(): void {
    this.#begin?.()
  }

  #end(): void {
    this.#taken = false
    const next = this.#waiting.shift()
    if (next !== undefined) this.take(next, true)
    this.#onOver()
  }
}
