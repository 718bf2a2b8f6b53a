/** What happened, line by line, as a hash that tells two runs apart; the lines themselves only when asked for. */
export class Trace {
  readonly lines: string[] | undefined
  #hash = 0x811c9dc5
  #count = 0

  constructor(keepLines: boolean) {
    this.lines = keepLines ? [] : undefined
  }

  add(line: string): void {
    this.#count++
    this.lines?.push(line)
    let hash = this.#hash
    // FNV-1a
    for (let index = 0; index < line.length; index++) hash = Math.imul(hash ^ line.charCodeAt(index), 0x01000193)
    this.#hash = hash
  }

  /** Equal for equal runs. */
  get hash(): string {
    return `${this.#count}-${(this.#hash >>> 0).toString(16)}`
  }
}
