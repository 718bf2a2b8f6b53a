import type { PartHealth } from '@waybill/core'

/** State, reason and since when of one part. */
export class Health {
  readonly #part: string
  #state: PartHealth['state'] = 'up'
  #sinceMs = Date.now()
  #reason: string | undefined

  constructor(part: string) {
    this.#part = part
  }

  set(state: PartHealth['state'], reason?: string): void {
    if (state !== this.#state) this.#sinceMs = Date.now()
    this.#state = state
    this.#reason = reason
  }

  report(): PartHealth {
    return {
      part: this.#part,
      state: this.#state,
      sinceMs: this.#sinceMs,
      ...(this.#reason !== undefined && { reason: this.#reason }),
    }
  }
}
