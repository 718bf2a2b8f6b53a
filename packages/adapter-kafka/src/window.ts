/** Bounds what is delivered and not settled, in messages and bytes; one message always fits. */
export class Window {
  readonly #maxCount: number
  readonly #maxBytes: number
  #count = 0
  #bytes = 0
  #waiting = new Set<() => void>()

  constructor(maxCount: number, maxBytes: number) {
    this.#maxCount = maxCount
    this.#maxBytes = maxBytes
  }

  get hasRoom(): boolean {
    return this.#count === 0 || (this.#count < this.#maxCount && this.#bytes < this.#maxBytes)
  }

  get isEmpty(): boolean {
    return this.#count === 0
  }

  take(bytes: number): void {
    this.#count += 1
    this.#bytes += bytes
  }

  free(bytes: number): void {
    this.#count -= 1
    this.#bytes -= bytes
    this.wake()
  }

  wake(): void {
    for (const resolve of this.#waiting) resolve()
  }

  /** Resolves when something was freed, or after `timeoutMs`. */
  changed(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer)
        this.#waiting.delete(end)
        resolve()
      }
      const timer = setTimeout(end, timeoutMs)
      this.#waiting.add(end)
    })
  }
}
