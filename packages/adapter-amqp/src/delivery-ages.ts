import type { Ports } from '@waybill/core'

/** A warning is repeated no sooner. */
const QUIET_MS = 60_000

/**
 * How long the broker has waited for deliveries to be settled, those that were handed over ahead of time included. At
 * its `consumer_timeout` it ends the channel, or from 4.3 on the consumer, and gives all of them to somebody again.
 * @see https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout
 */
export class DeliveryAges {
  readonly #takenMs = new Map<number, number>()
  readonly #clock: Ports['clock']
  readonly #lateMs: number
  readonly #onLate: (ageMs: number) => void
  #toldMs = Number.NEGATIVE_INFINITY

  /** @param onLate told of an age over `lateMs`, once a minute at most */
  constructor(clock: Ports['clock'], lateMs: number, onLate: (ageMs: number) => void) {
    this.#clock = clock
    this.#lateMs = lateMs
    this.#onLate = onLate
  }

  took(deliveryTag: number): void {
    this.#takenMs.set(deliveryTag, this.#clock.nowMs())
  }

  settled(deliveryTag: number): void {
    const takenMs = this.#takenMs.get(deliveryTag)
    if (takenMs === undefined) return
    this.#takenMs.delete(deliveryTag)
    const nowMs = this.#clock.nowMs()
    const ageMs = nowMs - takenMs
    if (ageMs < this.#lateMs || nowMs - this.#toldMs < QUIET_MS) return
    this.#toldMs = nowMs
    this.#onLate(ageMs)
  }
}
