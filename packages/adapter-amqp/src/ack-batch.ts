import type { AmqpChannel, AmqpMessage } from './client.ts'
import type { ResolvedOptions } from './options.ts'

/** An ack waits for others no longer than this. */
const TOGETHER_MS = 2
/** Nor for more than a quarter of the window, so that the broker never runs out of messages to send. */
const SHARE_OF_WINDOW = 4
const MOST_TOGETHER = 64

/**
 * The acks of one channel, sent together: the broker settles a run of messages by one command. An ack for all up to a
 * message is only sent where all before it are settled.
 */
export class AckBatch {
  /** When an ack was last sent; long ago where none was. */
  lastSentMs = Number.NEGATIVE_INFINITY
  readonly #channel: AmqpChannel
  readonly #ports: ResolvedOptions['ports']
  readonly #onClosed: (reason: Error) => void
  readonly #atMost: number
  /** Not settled, by delivery tag, oldest first. */
  readonly #open = new Set<number>()
  #waiting: AmqpMessage[] = []
  #cancel: (() => void) | undefined

  constructor(
    channel: AmqpChannel,
    prefetch: number,
    ports: ResolvedOptions['ports'],
    onClosed: (reason: Error) => void,
  ) {
    this.#channel = channel
    this.#ports = ports
    this.#onClosed = onClosed
    this.#atMost = Math.max(1, Math.min(MOST_TOGETHER, Math.floor(prefetch / SHARE_OF_WINDOW)))
  }

  took(raw: AmqpMessage): void {
    this.#open.add(raw.fields.deliveryTag!)
  }

  add(raw: AmqpMessage): void {
    this.#open.delete(raw.fields.deliveryTag!)
    this.#waiting.push(raw)
    if (this.#waiting.length >= this.#atMost) this.flush()
    else this.#cancel ??= this.#ports.timers.schedule(() => this.flush(), TOGETHER_MS)
  }

  /** Settled in another way. */
  drop(raw: AmqpMessage): void {
    this.#open.delete(raw.fields.deliveryTag!)
  }

  flush(): void {
    this.#cancel?.()
    this.#cancel = undefined
    const waiting = this.#waiting
    if (waiting.length === 0) return
    this.#waiting = []
    this.lastSentMs = this.#ports.clock.nowMs()
    const [oldest = Infinity] = this.#open
    let upTo: AmqpMessage | undefined
    try {
      for (const raw of waiting) {
        const tag = raw.fields.deliveryTag!
        if (tag > oldest) this.#channel.ack(raw)
        else if (upTo === undefined || tag > upTo.fields.deliveryTag!) upTo = raw
      }
      if (upTo !== undefined) this.#channel.ack(upTo, true)
    } catch (error) {
      this.#onClosed(error as Error) // closed under us; amqplib throws at once
    }
  }

  /** Sends what waits, if it still can. */
  end(): void {
    this.flush()
    this.#open.clear()
  }
}
