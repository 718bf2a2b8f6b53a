import type { Entry } from '../broker/entry.ts'
import type { Ending } from '../broker/observer.ts'
import type { Verdicts } from './verdicts.ts'

export interface StoreJudgeOptions {
  readonly nowMs: () => number
  readonly hasEffect: (service: string, id: string) => boolean
  readonly isParked: (service: string, id: string) => boolean
  readonly isRequest: (type: string) => boolean
}

/** Watches that nothing is lost: what the broker confirmed is there, and what it was told to forget has had its effect. */
export class StoreJudge {
  readonly #verdicts: Verdicts
  readonly #options: StoreJudgeOptions
  readonly #confirmed = new Set<string>()

  constructor(verdicts: Verdicts, options: StoreJudgeOptions) {
    this.#verdicts = verdicts
    this.#options = options
  }

  confirmed(id: string): void {
    this.#confirmed.add(id)
  }

  /** The bus has told its user that the carrier has the message. */
  published(id: string): void {
    if (!this.#confirmed.has(id)) this.#verdicts.add(`publish of ${id} fulfilled without a confirm of the broker`)
  }

  closed({ service, message }: Entry, how: Ending): void {
    // at most once, for one instance, or answered instead of kept
    if (how !== 'ack' || this.#options.isRequest(message.type) || message.destination.kind === 'reply') return
    if (service.startsWith('cache.')) return
    const { hasEffect, isParked, nowMs } = this.#options
    if (hasEffect(service, message.id) || isParked(service, message.id)) return
    if (message.expiresAtMs !== undefined && message.expiresAtMs <= nowMs()) return
    this.#verdicts.add(`lost: ${message.id} is acked at ${service} without its effect`)
  }
}
