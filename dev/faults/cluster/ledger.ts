export interface ClusterVerdict {
  readonly confirmed: number
  /** Confirmed, and never handled. */
  readonly lost: number
  /** Handled again: allowed. */
  readonly copies: number
  /** Handled, and never sent. */
  readonly unexpected: number
  /** Handled for the first time after a later one of its key. */
  readonly disordered: number
  /** The longest times between two confirms, and between two deliveries. */
  readonly confirmPauseMs: number
  readonly deliveryPauseMs: number
}

interface Key {
  sent: number
  confirmed: number
  readonly handled: Set<number>
  highest: number
}

/** What was sent and confirmed of each key, one after another, against what was handled. */
export class Ledger {
  readonly #keys = new Map<string, Key>()
  #confirms = new Pauses()
  #deliveries = new Pauses()
  #copies = 0
  #unexpected = 0
  #disordered = 0

  get confirms(): number {
    return this.#confirms.count
  }

  sent(key: string, n: number): void {
    this.#key(key).sent = n
  }

  confirmed(key: string, n: number): void {
    this.#key(key).confirmed = n
    this.#confirms.mark()
  }

  handled(name: string, n: number): void {
    const key = this.#key(name)
    this.#deliveries.mark()
    if (n > key.sent) this.#unexpected++
    if (key.handled.has(n)) this.#copies++
    else if (n < key.highest) this.#disordered++
    key.handled.add(n)
    key.highest = Math.max(key.highest, n)
  }

  verdict(): ClusterVerdict {
    let lost = 0
    for (const { confirmed, handled } of this.#keys.values()) {
      for (let n = 0; n <= confirmed; n++) if (!handled.has(n)) lost++
    }
    return {
      confirmed: this.#confirms.count,
      lost,
      copies: this.#copies,
      unexpected: this.#unexpected,
      disordered: this.#disordered,
      confirmPauseMs: Math.round(this.#confirms.longestMs),
      deliveryPauseMs: Math.round(this.#deliveries.longestMs),
    }
  }

  #key(name: string): Key {
    let key = this.#keys.get(name)
    if (key === undefined) {
      key = { sent: -1, confirmed: -1, handled: new Set(), highest: -1 }
      this.#keys.set(name, key)
    }
    return key
  }
}

class Pauses {
  count = 0
  longestMs = 0
  #lastMs: number | undefined

  mark(): void {
    const nowMs = performance.now()
    this.longestMs = Math.max(this.longestMs, nowMs - (this.#lastMs ?? nowMs))
    this.#lastMs = nowMs
    this.count++
  }
}
