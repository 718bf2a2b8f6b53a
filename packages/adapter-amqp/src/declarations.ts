import { PublishError, sleep } from '@waybill/core'
import type { Session } from './connection.ts'
import type { ResolvedOptions } from './options.ts'
import type { Publication } from './publication.ts'
import { label } from './publish-faults.ts'

/** How long a destination that could not be declared refuses further messages without asking the broker again. */
const REFUSAL_HOLDS_MS = 1_000

/** What was declared for publishing in this life of the connection, and the messages that wait for it. */
export class Declarations {
  readonly #ports: ResolvedOptions['ports']
  readonly #stopping: AbortSignal
  readonly #states = new Map<string, Publication[] | 'ready' | PublishError>()

  constructor({ ports }: ResolvedOptions, stopping: AbortSignal) {
    this.#ports = ports
    this.#stopping = stopping
  }

  /**
   * Whether it may be written now. If not, it waits in here and comes out by `onReady`, or is settled with the reason
   * why its destination can't be declared.
   */
  admits(publication: Publication, session: Session, onReady: (waiting: readonly Publication[]) => void): boolean {
    const { needs } = publication
    if (needs === undefined) return true
    const state = this.#states.get(needs.key)
    if (state === 'ready') return true
    if (state === undefined) void this.#declare(publication, session, onReady)
    else if (Array.isArray(state)) state.push(publication)
    else publication.settle(state)
    return false
  }

  /** Forgets that a destination was declared, so that the next message looks again. */
  forget(key: string): void {
    if (this.#states.get(key) === 'ready') this.#states.delete(key)
  }

  /** Forgets all; those that waited are handed out. */
  reset(): Publication[] {
    const waiting = [...this.#states.values()].filter((state) => Array.isArray(state)).flat()
    this.#states.clear()
    return waiting
  }

  /** Hands out those that wait, and keeps what is declared. */
  takeWaiting(): Publication[] {
    const taken: Publication[] = []
    for (const [key, state] of this.#states) {
      if (!Array.isArray(state)) continue
      this.#states.delete(key)
      taken.push(...state)
    }
    return taken
  }

  async #declare(
    first: Publication,
    session: Session,
    onReady: (waiting: readonly Publication[]) => void,
  ): Promise<void> {
    const { key, declare } = first.needs!
    const waiting = [first]
    this.#states.set(key, waiting)
    let failure: PublishError | undefined
    try {
      await declare(session)
    } catch (cause) {
      failure = new PublishError(`publish to ${label(first.destination)} refused: ${(cause as Error).message}`, {
        scope: 'destination',
        cause,
      })
    }
    if (this.#states.get(key) !== waiting) return // a new session began, and took them over
    if (failure === undefined) {
      this.#states.set(key, 'ready')
      return onReady(waiting)
    }
    if (session.lost.aborted) {
      // the new session will try again
      this.#states.delete(key)
      return onReady(waiting)
    }
    this.#states.set(key, failure)
    for (const publication of waiting) publication.settle(failure)
    await sleep(this.#ports.timers, REFUSAL_HOLDS_MS, this.#stopping).catch(() => {})
    if (this.#states.get(key) === failure) this.#states.delete(key)
  }
}
