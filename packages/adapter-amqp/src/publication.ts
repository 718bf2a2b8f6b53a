import type { Destination } from '@waybill/core'
import type { Session } from './connection.ts'
import type { Outgoing } from './wire.ts'

/** What must stand on the broker before a message can be sent. */
export interface Prerequisite {
  readonly key: string
  declare(session: Session): Promise<void>
}

/** What to publish, and where to. */
export interface Given {
  readonly outgoing: Outgoing
  readonly destination: Destination
  readonly needs: Prerequisite | undefined
  readonly confirm: boolean
  /** Not a copy of what the broker has already. */
  readonly fresh: boolean
}

/** Hears of the end of each message. */
export interface PublicationOwner {
  onSettled(publication: Publication): void
}

const NOTHING = Buffer.alloc(0)

/** One message on its way: ends once, whoever says so first. */
export class Publication {
  readonly destination: Destination
  readonly needs: Prerequisite | undefined
  readonly confirm: boolean
  readonly fresh: boolean
  readonly bytes: number
  /** Without its content once it failed: it may be kept for the broker's answer, and does not count as open. */
  outgoing: Outgoing
  /** 0 until written. */
  sentAtMs = 0
  settled = false
  /** The broker's reason when it sent the message back. */
  returned: string | undefined
  /** Where it is looked for when its time is over, and when its caller gives up. */
  deadline: Set<Publication> | undefined
  watch: AbortWatch | undefined
  readonly #owner: PublicationOwner
  readonly #resolve: () => void
  readonly #reject: (reason: Error) => void

  constructor(given: Given, owner: PublicationOwner, resolve: () => void, reject: (reason: Error) => void) {
    this.outgoing = given.outgoing
    this.bytes = given.outgoing.content.length
    this.destination = given.destination
    this.needs = given.needs
    this.confirm = given.confirm
    this.fresh = given.fresh
    this.#owner = owner
    this.#resolve = resolve
    this.#reject = reject
  }

  settle(error?: Error): void {
    if (this.settled) return
    this.settled = true
    this.deadline?.delete(this)
    this.watch?.delete(this)
    if (error === undefined) this.#resolve()
    else {
      this.outgoing = { ...this.outgoing, content: NOTHING }
      this.#reject(error)
    }
    this.#owner.onSettled(this)
  }
}

/** One abort listener for all messages of a call. */
export class AbortWatch {
  readonly #signal: AbortSignal
  readonly #publications = new Set<Publication>()
  readonly #onAbort = () => {
    for (const publication of this.#publications) publication.settle(this.#signal.reason as Error)
  }

  constructor(signal: AbortSignal) {
    this.#signal = signal
  }

  add(publication: Publication): void {
    publication.watch = this
    this.#publications.add(publication)
  }

  begin(): void {
    if (this.#publications.size === 0) return
    if (this.#signal.aborted) this.#onAbort()
    else this.#signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  delete(publication: Publication): void {
    this.#publications.delete(publication)
    if (this.#publications.size === 0) this.#signal.removeEventListener('abort', this.#onAbort)
  }
}
