import { ConfigError } from './errors.ts'
import { steadyMs, type Clock, type Ports } from './ports.ts'

/** How many handlers of a service may start in this process: tries count each, messages of a batch too. */
export interface RateLimit {
  readonly perSecond: number
  /** How many may start at once after a quiet time. @default a tenth of a second's worth, at least 1 */
  readonly burst?: number | undefined
}

/**
 * Tokens that come at a steady rate, up to `burst`. A pure count on a clock: it never waits by itself.
 * @throws {ConfigError} for a bound out of range
 */
export class TokenBucket {
  readonly #clock: Clock
  readonly #perMs: number
  readonly #burst: number
  #tokens: number
  #atMs: number

  constructor({ perSecond, burst = Math.max(1, Math.ceil(perSecond / 10)) }: RateLimit, clock: Clock) {
    if (!(perSecond > 0 && perSecond <= 1_000_000)) {
      throw new ConfigError(`rateLimit.perSecond is ${perSecond}: give a number above 0, at most a million`)
    }
    if (!Number.isSafeInteger(burst) || burst < 1) {
      throw new ConfigError(`rateLimit.burst is ${burst}: give a whole number from 1`)
    }
    this.#clock = clock
    this.#perMs = perSecond / 1_000
    this.#burst = burst
    this.#tokens = burst
    this.#atMs = steadyMs(clock)
  }

  /** How long until there is a token; 0 when there is one. */
  waitMs(): number {
    const nowMs = steadyMs(this.#clock)
    // a clock that was set back gives nothing and takes nothing
    if (nowMs > this.#atMs) this.#tokens = Math.min(this.#burst, this.#tokens + (nowMs - this.#atMs) * this.#perMs)
    this.#atMs = nowMs
    // sums of fractions end a hair below a whole
    return this.#tokens >= 1 - 1e-9 ? 0 : Math.max(1, Math.ceil((1 - this.#tokens) / this.#perMs))
  }

  /** A batch may take more than there are; what follows waits until they have come. */
  take(count: number): void {
    this.#tokens -= count
  }
}

/** Lets a bucket, which the parts of a service share, hold back one of them: a single timer, and only while something waits. */
export class RateGate {
  readonly #bucket: TokenBucket | undefined
  readonly #timers: Ports['timers']
  readonly #onToken: () => void
  #cancel: (() => void) | undefined

  constructor(bucket: TokenBucket | undefined, timers: Ports['timers'], onToken: () => void) {
    this.#bucket = bucket
    this.#timers = timers
    this.#onToken = onToken
  }

  /** Whether one may start now; if not, `onToken` is called when it is worth asking again. */
  allows(): boolean {
    if (this.#bucket === undefined) return true
    const waitMs = this.#bucket.waitMs()
    if (waitMs === 0) return true
    this.#cancel ??= this.#timers.schedule(() => {
      this.#cancel = undefined
      this.#onToken()
    }, waitMs)
    return false
  }

  took(count: number): void {
    this.#bucket?.take(count)
  }

  close(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }
}
