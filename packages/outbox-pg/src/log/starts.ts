import type { LeaseGrant } from './lease.ts'

interface CountedRow {
  readonly id: number
  readonly crashes?: number | undefined
}

/** How many rows above the stored position are counted after an unclean stop: so far each crash brings a reader at least. */
const ABOVE_POSITION = 200

/**
 * Counts how often rows were started, but only those that may have been open when a process ended: what was open or not
 * stored yet when a lease was not given back. Where all goes well nothing is counted and nothing written. A count is
 * stored before the row is handed on, taken back when the row is given back, and forgotten when it is settled.
 */
export class Starts {
  readonly #enabled: boolean
  #counts = new Map<number, number>()
  /** Counted by this process, and open in it. */
  readonly #begun = new Map<number, number>()
  #suspectedTo = -Infinity
  #leftAbove = 0
  #changed = false

  constructor(enabled: boolean) {
    this.#enabled = enabled
  }

  /** A lease was got. */
  begin({ starts, unclean, state }: LeaseGrant): void {
    this.#counts = new Map(starts)
    // this process lost its lease for a while, and has not ended
    if (!unclean) for (const [id, crashes] of this.#begun) if (this.#counts.has(id)) this.#counts.set(id, crashes)
    this.#begun.clear()
    this.#suspectedTo = unclean ? state.position : -Infinity
    this.#leftAbove = unclean ? ABOVE_POSITION : 0
  }

  /** The lease of a second range was got. */
  join({ starts, unclean, position }: Pick<LeaseGrant, 'starts' | 'unclean'> & { readonly position: number }): void {
    for (const [id, crashes] of starts) this.#counts.set(id, crashes)
    if (!unclean) return
    this.#suspectedTo = Math.max(this.#suspectedTo, position)
    this.#leftAbove = ABOVE_POSITION
  }

  /** These rows are another's now. */
  forget(ids: readonly number[]): void {
    for (const id of ids) this.#counts.delete(id)
  }

  /** How many processes ended while this row was open, or may have been. */
  crashesOf(id: number): number | undefined {
    if (!this.#enabled) return undefined
    const counted = this.#counts.get(id)
    if (counted !== undefined) return counted
    if (id <= this.#suspectedTo) return 1
    return this.#leftAbove-- > 0 ? 1 : undefined
  }

  begun({ id, crashes = 0 }: CountedRow): void {
    this.#begun.set(id, crashes)
    this.#counts.set(id, crashes + 1)
    this.#changed = true
  }

  /** A row was settled or given back. */
  ended({ id, crashes = 0 }: CountedRow, givenBack: boolean): void {
    if (!this.#begun.delete(id)) return
    if (givenBack) this.#counts.set(id, crashes)
    else this.#counts.delete(id)
    this.#changed = true
  }

  /** The counts, if they have to be stored. */
  takeChange(): ReadonlyMap<number, number> | undefined {
    if (!this.#changed) return undefined
    this.#changed = false
    return this.#counts
  }
}
