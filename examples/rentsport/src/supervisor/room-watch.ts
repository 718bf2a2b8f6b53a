import { setTimeout as delay } from 'node:timers/promises'
import type { PartReport } from './part-state.ts'

const ASK_EVERY_MS = 500
/** A room that says nothing for so long counts as down. */
const SILENCE_MS = 5_000

/** What a room says about its parts, asked again and again, so that whoever wants to know never waits for a slow answer. */
export class RoomWatch implements AsyncDisposable {
  readonly #name: string
  readonly #ask: () => Promise<readonly PartReport[]>
  readonly #stopped = new AbortController()
  readonly #asking: Promise<void>
  #parts: readonly PartReport[] = []
  #heardAtMs = Date.now()
  #answered = false

  constructor(name: string, ask: () => Promise<readonly PartReport[]>) {
    this.#name = name
    this.#ask = ask
    this.#asking = this.#watch()
  }

  report(): readonly PartReport[] {
    const { parts, reason } = this.#state()
    if (reason === undefined) return parts
    return [...parts, { part: this.#name, state: 'down', sinceMs: this.#heardAtMs, reason }]
  }

  #state(): { readonly parts: readonly PartReport[]; readonly reason?: string } {
    if (!this.#answered) return { parts: [], reason: 'not asked yet' }
    if (Date.now() - this.#heardAtMs > SILENCE_MS) return { parts: this.#parts, reason: 'says nothing' }
    return { parts: this.#parts }
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stopped
    while (!signal.aborted) {
      // One that throws counts as silent.
      const parts = await this.#ask().catch(() => undefined)
      if (parts !== undefined) {
        this.#parts = parts
        this.#heardAtMs = Date.now()
        this.#answered = true
      }
      await delay(ASK_EVERY_MS, undefined, { signal }).catch(() => undefined)
    }
  }

  /** Does not wait for an answer that may be long in coming. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort()
    this.#asking.catch(() => undefined)
    return Promise.resolve()
  }
}
