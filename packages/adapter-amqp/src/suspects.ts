import type { SubscribeOptions } from '@waybill/core'
import type { AmqpMessage } from './client.ts'
import type { Copier } from './copier.ts'
import { isSuspect } from './crashes.ts'
import type { ResolvedOptions } from './options.ts'
import type { Tap } from './tap.ts'
import type { TopologyRoom } from './topology.ts'
import { Turns } from './turns.ts'

interface SuspectRooms {
  readonly options: ResolvedOptions
  readonly topology: TopologyRoom
  readonly copier: Copier
}

interface SuspectOwner {
  /** Whether nothing is open. */
  isIdle(): boolean
  /** Neither stopped nor paused. */
  isReading(): boolean
  /** Counts it as open until `leave`. */
  enter(raw: AmqpMessage): void
  leave(raw: AmqpMessage): void
  /** Handles one that was entered, and settles it. */
  handle(tap: Tap, raw: AmqpMessage): Promise<void>
  /** A turn is over. */
  goOn(): void
}

/** How often to look for suspects that another instance left behind when it ended. */
const LOOK_EVERY_MS = 30_000

/** What may end its process is moved to a queue of its own, and handled while nothing else is. */
export class Suspects {
  readonly #subscription: SubscribeOptions
  readonly #rooms: SuspectRooms
  readonly #owner: SuspectOwner
  readonly #turns: Turns

  constructor(subscription: SubscribeOptions, rooms: SuspectRooms, owner: SuspectOwner) {
    this.#subscription = subscription
    this.#rooms = rooms
    this.#owner = owner
    this.#turns = new Turns(() => owner.goOn())
  }

  /** Whether one is open alone or about to be, so that nothing else may begin. */
  get alone(): boolean {
    return this.#turns.taken
  }

  /** Nothing is open any more. */
  idle(): void {
    this.#turns.idle()
  }

  /** True if the first in the tap's buffer is one; it is moved aside and opened once nothing else is open. */
  holdBack(tap: Tap): boolean {
    if (!this.#held || !isSuspect(tap.buffer[0]!)) return false
    this.#openAlone(tap, () => this.#moveAside(tap))
    return true
  }

  /** What earlier processes left among the suspects comes first, and again whenever it is time to look. */
  async lookFor(tap: Tap): Promise<void> {
    if (!this.#held) return
    const { options, topology } = this.#rooms
    let cancel = () => {}
    const look = async () => {
      cancel = options.ports.timers.schedule(() => void look().catch((error: Error) => tap.end(error)), LOOK_EVERY_MS)
      const { messageCount } = await tap.channel.checkQueue(topology.suspectQueue(tap.queue))
      if (messageCount > 0) this.#openAlone(tap, () => Promise.resolve())
    }
    tap.lost.signal.addEventListener('abort', () => cancel(), { once: true })
    if (tap.live) await look()
  }

  /** Not where others declare what there is: a queue for suspects may be missing, and is no reason not to read. */
  get #held(): boolean {
    const { ackBefore, mode } = this.#subscription
    return !ackBefore && mode !== 'broadcast' && this.#rooms.options.topology !== 'none'
  }

  /** Does what comes first, then opens the suspects of the queue one after another. */
  #openAlone(tap: Tap, first: () => Promise<void>): void {
    this.#turns.take(() => this.#openAll(tap, first), this.#owner.isIdle())
  }

  /** Counted where it lies, a message is to blame no more than its neighbours; among suspects it is counted alone. */
  async #moveAside(tap: Tap): Promise<void> {
    const raw = tap.buffer.shift()
    if (raw === undefined) return
    this.#owner.enter(raw)
    try {
      await this.#rooms.copier.move(tap, raw, { to: 'suspects' })
    } finally {
      this.#owner.leave(raw)
    }
  }

  async #openAll(tap: Tap, first: () => Promise<void>): Promise<void> {
    const { options, topology } = this.#rooms
    const queue = topology.suspectQueue(tap.queue)
    try {
      await first()
      while (tap.live && this.#owner.isReading()) {
        const raw = await tap.channel.get(queue)
        if (raw === false) break
        tap.took(raw)
        options.logger.warn({ service: this.#subscription.service, queue }, 'message opened alone')
        this.#owner.enter(raw)
        await this.#owner.handle(tap, raw)
        // the next one may end the process
        tap.flush()
      }
    } catch (error) {
      tap.end(error as Error)
    }
  }
}
