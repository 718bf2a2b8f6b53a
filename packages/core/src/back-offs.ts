import type { IntakeContext } from './intake-context.ts'
import type { Lanes } from './lanes.ts'
import type { Work } from './work.ts'

/** Messages between two tries: they wait without taking a handler's place, and hold at most half of the window. */
export class BackOffs {
  readonly #context: IntakeContext
  readonly #lanes: Lanes<Work>
  readonly #pump: () => void
  readonly #held = new Set<Work>()
  /** Those that wait, and how to end it. */
  readonly #waiting = new Map<Work, () => void>()

  constructor(context: IntakeContext, lanes: Lanes<Work>, pump: () => void) {
    this.#context = context
    this.#lanes = lanes
    this.#pump = pump
  }

  /** Room among those that are held open for a round; false when half of the window is. */
  tryHold(work: Work): boolean {
    if (this.#held.size >= this.#context.options.maxOpen / 2) return false
    this.#held.add(work)
    return true
  }

  endHold(work: Work): void {
    this.#held.delete(work)
  }

  /** Resolves when the message may be tried again; rejects when its delivery was taken back. */
  async wait(work: Work, delayMs: number): Promise<void> {
    const { recalled, signal } = work.delivery
    recalled.throwIfAborted()
    signal.throwIfAborted()
    this.#lanes.suspend()
    await new Promise<void>((resolve) => {
      const again = () => {
        work.goOn = () => {
          this.#waiting.delete(work)
          resolve()
        }
        this.#lanes.resume(work.lane!, work)
        this.#pump()
      }
      const cancel = delayMs > 0 ? this.#context.bus.ports.timers.schedule(again, delayMs) : undefined
      this.#waiting.set(work, () => {
        // at once: soft and hard signal may come in the same turn, and its place is taken only once
        this.#waiting.delete(work)
        cancel?.()
        work.goOn = undefined
        work.givenBack = true
        this.#lanes.resumeNow(work)
        resolve()
      })
      if (cancel === undefined) again()
      else this.#pump()
    })
    if (work.givenBack) throw new Error('given back while it waited')
    recalled.throwIfAborted()
    signal.throwIfAborted()
  }

  /** Ends the wait of those that `ends` says yes to. */
  end(ends: (work: Work) => boolean): void {
    for (const [work, end] of [...this.#waiting]) if (ends(work)) end()
  }
}
