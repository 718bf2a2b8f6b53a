import type { Service, StopOptions } from './bus.ts'
import type { Intake } from './intake.ts'
import type { Clock } from './ports.ts'
import { reasonOf } from './retry.ts'
import { checkConcurrency, SERVICE_DEFAULTS } from './service-plan.ts'
import type { PartHealth, Subscription } from './transport.ts'

/** One subscription of a service with what its deliveries go through. */
export interface RunningPart {
  readonly intake: Intake
  readonly subscription: Subscription
}

/** The running handlers of a service in this process: one subscription per carrier and way of acking (R8). */
export class RunningService implements Service {
  readonly ended: Promise<Error | undefined>
  readonly #parts: readonly RunningPart[]
  readonly #onStopped: () => void
  /** Subscriptions that have given up, and why. */
  readonly #givenUp = new Map<RunningPart, { readonly sinceMs: number; readonly reason: string }>()
  #stopping: Promise<void> | undefined

  constructor(parts: readonly RunningPart[], clock: Clock, onStopped: () => void) {
    this.#parts = parts
    this.#onStopped = onStopped
    for (const part of parts) {
      void part.subscription.ended.then((error) => {
        if (error === undefined) return
        this.#givenUp.set(part, { sinceMs: clock.nowMs(), reason: `given up: ${reasonOf(error)}` })
      })
    }
    this.ended = Promise.all(parts.map(({ subscription }) => subscription.ended)).then((ends) =>
      ends.find((end) => end !== undefined),
    )
  }

  setConcurrency(concurrency: number): void {
    checkConcurrency(concurrency)
    for (const { intake } of this.#parts) intake.setConcurrency(concurrency)
  }

  pause(): void {
    for (const { intake } of this.#parts) intake.pause()
  }

  resume(): void {
    for (const { intake } of this.#parts) intake.resume()
  }

  stop({ drainTimeoutMs = SERVICE_DEFAULTS.drainTimeoutMs }: StopOptions = {}): Promise<void> {
    return (this.#stopping ??= this.#stop(drainTimeoutMs))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  health(): readonly PartHealth[] {
    return this.#parts.map((part) => {
      const health = part.intake.health()
      const end = this.#givenUp.get(part)
      return end === undefined ? health : { ...health, state: 'down', ...end }
    })
  }

  async #stop(drainTimeoutMs: number): Promise<void> {
    await Promise.all(
      this.#parts.map(({ intake, subscription }) => {
        // the carrier recalls first, so that what the intake gives back does not come again
        const stopped = subscription.stop({ drainTimeoutMs })
        intake.stop()
        return stopped
      }),
    )
    this.#onStopped()
  }
}
