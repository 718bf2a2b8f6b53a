/** One part of the system in /health. */
export interface PartReport {
  readonly part: string
  readonly state: 'up' | 'degraded' | 'down'
  readonly sinceMs: number
  readonly reason?: string | undefined
  readonly lag?: number | undefined
  readonly pid?: number | undefined
}

/** Parts of a room under its name. */
export const partsOf = (room: string, parts: readonly PartReport[]): readonly PartReport[] =>
  parts.map((part) => ({ ...part, part: `${room}: ${part.part}` }))

/** What a child tells its parent. */
export interface ChildReport {
  readonly kind: 'health'
  readonly parts: readonly PartReport[]
}

/** State and reason of one part, with the time since when it is so. */
export class PartState {
  readonly part: string
  #state: PartReport['state']
  #reason: string | undefined
  #sinceMs = Date.now()

  constructor(part: string, reason: string) {
    this.part = part
    this.#state = 'down'
    this.#reason = reason
  }

  up(): void {
    this.#set('up', undefined)
  }

  down(reason: string): void {
    this.#set('down', reason)
  }

  report(): PartReport {
    return {
      part: this.part,
      state: this.#state,
      sinceMs: this.#sinceMs,
      ...(this.#reason !== undefined && { reason: this.#reason }),
    }
  }

  #set(state: PartReport['state'], reason: string | undefined): void {
    if (state !== this.#state) this.#sinceMs = Date.now()
    this.#state = state
    this.#reason = reason
  }
}
