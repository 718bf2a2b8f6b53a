import type { Work } from './work.ts'

type Tries = Pick<Work, 'tries' | 'failures' | 'firstFailedAtMs'> & { readonly rounds: number }

const MOST = 1_000

/**
 * What is known here about messages that were given back between two tries: their failures were not written anywhere, and
 * a message that always fails would else begin anew each time. Bounded; the oldest is forgotten first.
 */
export class Returned {
  readonly #byId = new Map<string, Tries>()

  get size(): number {
    return this.#byId.size
  }

  remember(work: Work): void {
    const { tries, firstFailedAtMs, interrupted } = work
    const { id } = work.message
    if (work.failures === 0 || id === '') return
    // what was requeued carries its failures with it
    const failures = interrupted ? 0 : work.failures
    this.#byId.delete(id)
    this.#byId.set(id, { tries, failures, firstFailedAtMs, rounds: work.notes.rounds })
    if (this.#byId.size > MOST) this.#byId.delete(this.#byId.keys().next().value!)
  }

  /** Gives a message back what it had, if it was here before. */
  restore(work: Work): void {
    const known = this.#byId.get(work.message.id)
    if (known === undefined) return
    this.#byId.delete(work.message.id)
    const { tries, failures, firstFailedAtMs, rounds } = known
    work.tries = tries
    work.failures = failures
    work.firstFailedAtMs = firstFailedAtMs
    work.notes = { ...work.notes, rounds: Math.max(rounds, work.notes.rounds) }
  }
}
