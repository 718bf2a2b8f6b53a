import type { Batch, BatchItem } from './batch.ts'
import { ClosedError } from './errors.ts'
import type { Route } from './handler.ts'
import type { Lane } from './lanes.ts'
import type { MessageInfo } from './message.ts'
import { readNotes, type Notes } from './notes.ts'
import type { RouteTable } from './route-table.ts'
import type { Delivery, Settlement } from './transport.ts'
import type { WireMessage } from './wire-message.ts'

/** One delivery on its way through the core, from arrival to settlement. */
export class Work implements BatchItem<Work> {
  readonly delivery: Delivery
  /** As its sender wrote it, without notes. */
  message: WireMessage
  readonly route: Route | undefined
  /** Failures before this delivery. */
  readonly failuresBefore: number
  notes: Notes
  /** Tries since it was delivered, in the round it is in. */
  tries = 1
  /** Failures since it was delivered. */
  failures = 0
  firstFailedAtMs: number | undefined
  /** What the last try failed with, or the requester was told of. */
  lastError: unknown
  /** How it ended, where the carrier is told something else. */
  fate: 'expired' | 'deadLetter' | undefined
  /** What users were told about the message. */
  info: MessageInfo | undefined
  /** What the try under way has decoded. */
  data: unknown
  /** What the try under way has to say to whoever asked. */
  reply: WireMessage | undefined
  /** Given back while it waited between two tries, or to be opened alone. */
  givenBack = false
  /** Requeued between two tries that belong together. */
  interrupted = false
  /** The last try ended by its time limit. */
  timedOut = false
  lane: Lane<Work> | undefined
  /** The messages it is handled with, until it leaves them. */
  batch: Batch<Work> | undefined
  /** It was in a batch that failed: from now on it is handled by itself. */
  alone = false
  /** It came to its end before its batch was handled, so that those of its key behind it may go on. */
  passes = false
  /** Set while it waits for its turn to go on. */
  goOn: (() => void) | undefined
  /** Called when somebody first looks at the signal of a try. */
  onWatched: (() => void) | undefined
  readonly #settle: (settlement: Settlement) => void
  #try = 0
  #controller: AbortController | undefined
  #aborted: Error | undefined
  #unlink: (() => void) | undefined

  constructor(
    delivery: Delivery,
    routes: RouteTable,
    countsAttempts: boolean,
    settle: (settlement: Settlement) => void,
  ) {
    const { message, notes } = readNotes(delivery.message)
    this.delivery = delivery
    this.message = message
    this.notes = notes
    this.route = routes.of(message)
    this.failuresBefore = Math.max(notes.failures, countsAttempts ? delivery.attempt - 1 : 0)
    this.#settle = settle
  }

  get attempt(): number {
    return this.failuresBefore + this.failures + 1
  }

  /** Names the try under way, for `signalOf`. */
  get currentTry(): number {
    return this.#try
  }

  /** The signal of one try; made only when somebody looks at it. */
  signalOf(tried: number): AbortSignal {
    // a handler that outlived its try must not take the signal of the next one for its own
    if (tried !== this.#try) return AbortSignal.abort(new ClosedError('this try of the message is over'))
    if (this.#controller === undefined) {
      const controller = (this.#controller = new AbortController())
      const hard = this.delivery.signal
      if (this.#aborted !== undefined) controller.abort(this.#aborted)
      else if (hard.aborted) controller.abort(hard.reason)
      else {
        // the delivery's signal is shared by a whole channel, so the listener must not outlive the try
        const onAbort = () => controller.abort(hard.reason)
        hard.addEventListener('abort', onAbort, { once: true })
        this.#unlink = () => hard.removeEventListener('abort', onAbort)
        this.onWatched?.()
      }
    }
    return this.#controller.signal
  }

  abort(reason: Error): void {
    this.#aborted = reason
    this.#controller?.abort(reason)
  }

  /** The try is over; the next one gets a signal of its own. */
  endTry(): void {
    this.#unlink?.()
    this.#unlink = undefined
    this.#controller = undefined
    this.#aborted = undefined
    this.#try++
  }

  settle(settlement: Settlement): void {
    this.#settle(settlement)
  }
}
