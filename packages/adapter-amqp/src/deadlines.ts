import type { Timers } from '@waybill/core'

/** A time-out is at most a sixteenth late, for a sixteenth of the timers. */
const TICKS = 16
const LEAST_TICK_MS = 10

interface Wheel<T> {
  readonly tickMs: number
  /** What came in since the last tick, and in those before it; as many as it takes to wait the whole time. */
  readonly slots: Set<T>[]
  at: number
  cancel: (() => void) | undefined
}

/**
 * Time-outs of very many, most of which end in time: one timer for all that wait equally long, none for each. By ticks
 * rather than by a clock, which may jump.
 */
export class Deadlines<T> {
  readonly #timers: Timers
  readonly #onLate: (item: T, timeoutMs: number) => void
  readonly #wheels = new Map<number, Wheel<T>>()

  constructor(timers: Timers, onLate: (item: T, timeoutMs: number) => void) {
    this.#timers = timers
    this.#onLate = onLate
  }

  /** Calls `onLate` once `timeoutMs` have passed, unless the item was taken out of the returned set before. */
  add(item: T, timeoutMs: number): Set<T> {
    let wheel = this.#wheels.get(timeoutMs)
    if (wheel === undefined) this.#wheels.set(timeoutMs, (wheel = wheelOf(timeoutMs)))
    const slot = wheel.slots[wheel.at]!
    slot.add(item)
    if (wheel.cancel === undefined) this.#arm(wheel, timeoutMs)
    return slot
  }

  /** Forgets all that wait. */
  clear(): void {
    for (const { cancel } of this.#wheels.values()) cancel?.()
    this.#wheels.clear()
  }

  #arm(wheel: Wheel<T>, timeoutMs: number): void {
    wheel.cancel = this.#timers.schedule(() => this.#tick(wheel, timeoutMs), wheel.tickMs)
  }

  #tick(wheel: Wheel<T>, timeoutMs: number): void {
    wheel.at = (wheel.at + 1) % wheel.slots.length
    const late = wheel.slots[wheel.at]!
    wheel.slots[wheel.at] = new Set()
    for (const item of late) this.#onLate(item, timeoutMs)
    if (wheel.slots.some((slot) => slot.size > 0)) this.#arm(wheel, timeoutMs)
    else if (this.#wheels.get(timeoutMs) === wheel) this.#wheels.delete(timeoutMs)
  }
}

function wheelOf<T>(timeoutMs: number): Wheel<T> {
  const ticks = Math.max(1, Math.min(TICKS, Math.floor(timeoutMs / LEAST_TICK_MS)))
  return {
    tickMs: timeoutMs / ticks,
    slots: Array.from({ length: ticks + 1 }, () => new Set<T>()),
    at: 0,
    cancel: undefined,
  }
}
