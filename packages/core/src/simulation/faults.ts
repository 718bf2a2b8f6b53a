import type { Chance } from './chance.ts'

/** What goes wrong, and how often, until the faults stop. Probabilities, drawn anew for each seed. */
export interface FaultRates {
  /** A message on its way takes long, now and then longer than its publisher waits. */
  readonly slow: number
  readonly publishFails: number
  readonly duplicate: number
  readonly recall: number
  readonly disconnect: number
  readonly deadLetterFails: number
  readonly crash: number
  readonly handlerFails: number
}

export const NO_FAULTS: FaultRates = Object.freeze({
  slow: 0,
  publishFails: 0,
  duplicate: 0,
  recall: 0,
  disconnect: 0,
  deadLetterFails: 0,
  crash: 0,
  handlerFails: 0,
})

export type PublishPlan =
  /** Stored and confirmed. */
  | 'stored'
  /** Not stored, and the publisher is told so. */
  | 'refused'
  /** Not stored, and nobody knows. */
  | 'lost'
  /** Stored, and nobody knows. */
  | 'unconfirmed'
  /** No answer ever; stored or not. */
  | 'silent'

/** Decides what goes wrong. After `stop` nothing does any more, and everything has to come right. */
export class Faults {
  readonly chance: Chance
  #rates: FaultRates

  constructor(chance: Chance, rates: FaultRates) {
    this.chance = chance
    this.#rates = rates
  }

  get active(): boolean {
    return this.#rates !== NO_FAULTS
  }

  stop(): void {
    this.#rates = NO_FAULTS
  }

  happens(fault: Exclude<keyof FaultRates, 'slow' | 'publishFails'>): boolean {
    const rate = this.#rates[fault]
    return rate > 0 && this.chance.yes(rate)
  }

  /** The time of one way over the network. */
  hopMs(): number {
    if (this.#rates.slow > 0 && this.chance.yes(this.#rates.slow)) {
      return this.chance.yes(0.2) ? this.chance.between(2_000, 9_000) : this.chance.between(20, 500)
    }
    return this.chance.between(0, 3)
  }

  publishPlan(): PublishPlan {
    if (this.#rates.publishFails === 0 || !this.chance.yes(this.#rates.publishFails)) return 'stored'
    return this.chance.pick(['refused', 'lost', 'unconfirmed', 'silent'] as const)
  }
}

/** A quarter of the seeds has every kind of fault, the others leave some out, so that rare pairs meet too. */
export function faultRates(chance: Chance): FaultRates {
  const all = chance.yes(0.25)
  const rate = (most: number) => (all || chance.yes(0.5) ? chance.number() * most : 0)
  return {
    slow: rate(0.2),
    publishFails: rate(0.25),
    duplicate: rate(0.2),
    recall: rate(0.1),
    disconnect: rate(0.02),
    deadLetterFails: rate(0.5),
    crash: rate(0.01),
    handlerFails: rate(0.5),
  }
}
