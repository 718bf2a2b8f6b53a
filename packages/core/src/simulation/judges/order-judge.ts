import type { Verdicts } from './verdicts.ts'

interface Sent {
  readonly key: string
  readonly n: number
}

/** Watches that the first effects of a key come in the order in which its messages were published. */
export class OrderJudge {
  readonly #verdicts: Verdicts
  readonly #sent = new Map<string, Sent>()
  readonly #newest = new Map<string, number>()
  /** Given up on once: out of line for good. */
  readonly #excused = new Set<string>()

  constructor(verdicts: Verdicts) {
    this.#verdicts = verdicts
  }

  sent(id: string, key: string, n: number): void {
    this.#sent.set(id, { key, n })
  }

  /** Its publisher, or a service, has given up on it. */
  excuse(id: string): void {
    this.#excused.add(id)
  }

  effect(service: string, id: string): void {
    const sent = this.#sent.get(id)
    if (sent === undefined || this.#excused.has(id)) return
    const lane = `${service} ${sent.key}`
    const newest = this.#newest.get(lane) ?? -1
    if (newest > sent.n)
      this.#verdicts.add(`effect of ${id} at ${service} after number ${newest} of its key ${sent.key}`)
    else this.#newest.set(lane, sent.n)
  }
}
