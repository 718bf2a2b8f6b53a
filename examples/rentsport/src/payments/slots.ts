/** So many things under way at once; those who come later wait their turn. */
export class Slots {
  readonly #max: number
  readonly #taken = new Set<string>()
  readonly #waiting: (() => void)[] = []

  constructor(max: number) {
    this.#max = max
  }

  /** Resolves when there is room. Taking twice under one name is taking once. */
  async take(name: string): Promise<void> {
    while (this.#taken.size >= this.#max && !this.#taken.has(name)) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    this.#taken.add(name)
  }

  free(name: string): void {
    if (this.#taken.delete(name)) this.#waiting.shift()?.()
  }
}
