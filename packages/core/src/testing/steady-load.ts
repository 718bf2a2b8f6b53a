import type { Transport } from '../transport.ts'
import type { Destination, WireMessage } from '../wire-message.ts'
import type { CaseContext } from './case-context.ts'
import { contentOf } from './content.ts'
import { sample } from './sample.ts'

export interface LoadOptions {
  readonly transports: readonly Transport[]
  readonly destination: Destination
  readonly readers: readonly string[]
  /** Each sends one message after another, waiting for its confirm. */
  readonly publishers: number
  /** The longest pause of a publisher between two messages. */
  readonly pauseMs: number
  /** Each publisher has a key of its own, and sends a message until it is confirmed, as an outbox does. @default false */
  readonly keyed?: boolean | undefined
}

const PUBLISH_TIMEOUT_MS = 5_000
const AFTER_FAILURE_MS = 200

/** Publishers that go on through faults. What was not confirmed may arrive; what was, must. */
export class SteadyLoad {
  readonly #context: CaseContext
  readonly #options: LoadOptions
  readonly #running: Promise<void>[]
  readonly #stop = new AbortController()
  #confirmed = 0
  #failed = 0
  #number = 0

  constructor(context: CaseContext, options: LoadOptions) {
    this.#context = context
    this.#options = options
    context.atEnd(() => this.#stop.abort())
    this.#running = Array.from({ length: options.publishers }, (_, index) => this.#run(index))
    // who stops the load hears of it; a case that failed before does not
    for (const running of this.#running) running.catch(() => {})
  }

  get confirmed(): number {
    return this.#confirmed
  }

  /** Publishes that were not confirmed. */
  get failed(): number {
    return this.#failed
  }

  /** Waits for so many more confirms. */
  more(count: number): Promise<void> {
    const goal = this.#confirmed + count
    return this.#context.until(() => this.#confirmed >= goal, `${count} more publishes to be confirmed`)
  }

  /** Ends when each publisher has its last answer. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#running)
  }

  async #run(index: number): Promise<void> {
    const { transports, destination, readers, pauseMs, keyed = false } = this.#options
    const transport = transports[index % transports.length]!
    const key = keyed ? `key-${index}` : undefined
    while (!this.#stop.signal.aborted) {
      const message = sample(destination, this.#number++, { orderingKey: key })
      const settle = this.#context.ledger.sent({ id: message.id, key, readers, content: contentOf(message) })
      let confirmed = await this.#publish(transport, message)
      while (!confirmed && keyed && !this.#stop.signal.aborted) confirmed = await this.#publish(transport, message)
      settle(confirmed)
      await this.#context.pause(this.#context.random() * pauseMs)
    }
  }

  async #publish(transport: Transport, message: WireMessage): Promise<boolean> {
    try {
      await Promise.all(transport.publish([message], { timeoutMs: PUBLISH_TIMEOUT_MS }))
      this.#confirmed += 1
      this.#context.wake()
      return true
    } catch {
      this.#failed += 1
      await this.#context.pause(AFTER_FAILURE_MS)
      return false
    }
  }
}
