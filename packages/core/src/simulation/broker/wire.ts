import type { Timers } from '../../ports.ts'

/** One way between client and broker: each parcel takes its time, and none overtakes another. */
export class Wire {
  readonly #timers: Timers
  readonly #hopMs: () => number
  #parcels: (() => void)[] = []

  constructor(timers: Timers, hopMs: () => number) {
    this.#timers = timers
    this.#hopMs = hopMs
  }

  send(arrive: () => void): void {
    this.#parcels.push(arrive)
    this.#timers.schedule(() => this.#parcels.shift()?.(), this.#hopMs())
  }

  /** What is on its way never arrives. */
  cut(): void {
    this.#parcels = []
  }
}
