import { sleep } from '@waybill/core'
import { AckBatch } from './ack-batch.ts'
import type { AmqpChannel, AmqpMessage } from './client.ts'
import { DeliveryAges } from './delivery-ages.ts'
import type { ResolvedOptions } from './options.ts'

/**
 * How long the last acks have to reach a quorum queue. The broker's channel sends 32 settlements ahead and keeps the
 * others until those are applied; a channel that closes forgets what it kept, and the messages come again.
 * @see https://github.com/rabbitmq/rabbitmq-server/blob/v4.0.5/deps/rabbit/src/rabbit_fifo_client.erl (`soft_limit`)
 */
const ACKS_ARRIVE_MS = 200

/**
 * One life of a consuming channel. Delivery tags belong to it alone: what came through it is settled on it, or not at
 * all once it has ended.
 */
export class Tap {
  readonly queue: string
  readonly channel: AmqpChannel
  /** Delivered by the broker, not yet handed on; oldest first. */
  readonly buffer: AmqpMessage[] = []
  readonly recalled = new AbortController()
  readonly lost = new AbortController()
  /** Handed on and not settled. */
  open = 0
  /** Something was released in ordered mode: no more is handed on, and all goes back in order. */
  recalling = false
  consumerTag: string | undefined
  /** Where a pause has brought it; not reading from the broker unless `none`. */
  pause: 'none' | 'cancelling' | 'cancelled' = 'none'
  readonly ended: Promise<Error>
  readonly #ports: ResolvedOptions['ports']
  readonly #acks: AckBatch
  readonly #ages: DeliveryAges
  #end: (reason: Error) => void = () => {}

  constructor(queue: string, channel: AmqpChannel, prefetch: number, { ports, logger, maxHoldMs }: ResolvedOptions) {
    this.queue = queue
    this.channel = channel
    this.#ports = ports
    this.#acks = new AckBatch(channel, prefetch, ports, (error) => this.end(error))
    this.#ages = new DeliveryAges(ports.clock, maxHoldMs / 2, (ageMs) => {
      const advice = `lower prefetch (${prefetch}) or the handlers' time, before the broker's consumer_timeout ends the channel`
      logger.warn({ queue, ageMs, maxHoldMs }, `delivery settled late: ${advice}`)
    })
    this.ended = new Promise((resolve) => (this.#end = resolve))
  }

  get live(): boolean {
    return !this.lost.signal.aborted
  }

  /** Ends once what is open is settled; what was not handed on goes back in order. */
  recall(): void {
    this.recalling = true
    this.recalled.abort()
    this.endRecall()
  }

  /** Ends it if it is recalled and nothing is open any more. */
  endRecall(): void {
    if (!this.recalling || this.open > 0) return
    const reason = new Error('given back in order')
    reason.name = 'Recall'
    this.end(reason)
  }

  /** Each message that comes through the channel, before anything else is done with it. */
  took(raw: AmqpMessage): void {
    this.#acks.took(raw)
    this.#ages.took(raw.fields.deliveryTag!)
  }

  /** Reaches the broker within milliseconds; see `flush`. */
  ack(raw: AmqpMessage): void {
    if (!this.live) return
    this.#acks.add(raw)
    this.#ages.settled(raw.fields.deliveryTag!)
  }

  /** Sends the acks that wait for company. */
  flush(): void {
    if (this.live) this.#acks.flush()
  }

  giveBack(raw: AmqpMessage): void {
    if (!this.live) return
    this.#acks.drop(raw)
    this.#ages.settled(raw.fields.deliveryTag!)
    try {
      this.channel.nack(raw, false, true)
    } catch (error) {
      this.end(error as Error) // closed under us; amqplib throws at once
    }
  }

  giveBackBuffer(): void {
    for (const raw of this.buffer.splice(0)) this.giveBack(raw)
  }

  /** Closes the channel; what is not settled returns to the queue, in order. */
  end(reason: Error): void {
    if (!this.live) return
    this.#acks.end()
    this.buffer.length = 0
    this.recalled.abort(reason)
    this.lost.abort(reason)
    this.#end(reason)
  }

  /** Closes the channel once its acks are sure to have arrived, unless it is gone already. */
  async close(gone: boolean): Promise<void> {
    const { clock, timers } = this.#ports
    const waitMs = Math.min(ACKS_ARRIVE_MS, this.#acks.lastSentMs + ACKS_ARRIVE_MS - clock.nowMs())
    if (waitMs > 0 && !gone) await sleep(timers, waitMs)
    const late = new AbortController()
    const closing = (async () => this.channel.close())().catch(() => {})
    await Promise.race([closing, sleep(timers, 2_000, late.signal).catch(() => {})])
    late.abort()
  }
}
