import { seededRandom } from '../testing/seeded-random.ts'

/** All choices of one simulation: the same seed makes the same ones, in the same order. */
export class Chance {
  readonly #next: () => number

  constructor(seed: number, label: string) {
    this.#next = seededRandom(seed, label)
  }

  /** In [0, 1). */
  number(): number {
    return this.#next()
  }

  yes(probability: number): boolean {
    return this.#next() < probability
  }

  /** A whole number, both ends included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.#next() * (most - least + 1))
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#next() * list.length)]!
  }

  /** One of several, by weight. */
  weighted<T extends string>(weights: Readonly<Record<T, number>>): T {
    const names = Object.keys(weights) as T[]
    let total = 0
    for (const name of names) total += weights[name]
    let left = this.#next() * total
    for (const name of names) if ((left -= weights[name]) < 0) return name
    return names.at(-1)!
  }
}
