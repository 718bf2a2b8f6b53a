/**
 * How far one partition is done. Deliveries open in the order of their offsets and finish in any; `low` never passes
 * an unfinished one, so it is what may be committed. Offsets are plain numbers: 2^53 records are out of reach.
 */
export class Watermark {
  readonly #open = new Set<number>()
  #position: number | undefined
  #before: Watermark | undefined

  /** `before`: what this process finished of the same partition under an earlier assignment. */
  constructor(before?: Watermark) {
    this.#before = before?.forget()
  }

  /** Where reading begins, so that it can be committed before anything is read. */
  begin(offset: number): void {
    this.#position = offset
  }

  opened(offset: number): void {
    this.#open.add(offset)
    this.#position = offset + 1
  }

  /** Nothing to deliver up to and with this offset: skipped, filtered or a transaction's marker. */
  passed(offset: number): void {
    if (this.#position === undefined || offset >= this.#position) this.#position = offset + 1
  }

  finished(offset: number): void {
    this.#open.delete(offset)
  }

  /** Reading began again before what was already read: the log is another one. */
  wentBack(offset: number): boolean {
    return this.#position !== undefined && offset < this.#position
  }

  /** The lowest offset not finished; `undefined` before anything was read. */
  get low(): number | undefined {
    for (const offset of this.#open) return offset
    return this.#position
  }

  /** Whether this process finished the record under an earlier assignment. */
  isFinished(offset: number): boolean {
    const before = this.#before
    if (before === undefined) return false
    const { low } = before
    // a log that begins before the earlier low mark is another one; past what was read nothing is known
    if (low === undefined || offset < low || offset >= before.#position!) this.#before = undefined
    return this.#before !== undefined && !before.#open.has(offset)
  }

  forget(): this {
    this.#before = undefined
    return this
  }
}
