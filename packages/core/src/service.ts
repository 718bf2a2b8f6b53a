import type { Service, StopOptions } from './bus.ts'
import type { Intake } from './intake.ts'
import { checkConcurrency, SERVICE_DEFAULTS } from './plan-service.ts'
import type { PartHealth, Subscription } from './transport.ts'

/** One subscription and what takes in its deliveries. */
export interface RunningPart {
  readonly intake: Intake
  readonly subscription: Subscription
}

/** The running handlers of a service in this process: one subscription per carrier (R8). */
export class RunningService implements Service {
  readonly ended: Promise<Error | undefined>
  readonly #running: readonly RunningPart[]
  readonly #onStopped: () => void
  #stopping: Promise<void> | undefined

  constructor(running: readonly RunningPart[], onStopped: () => void) {
    this.#running = running
    this.#onStopped = onStopped
    this.ended = Promise.all(running.map(({ subscription }) => subscription.ended)).then((ends) =>
      ends.find((end) => end),
    )
  }

  setConcurrency(concurrency: number): void {
    checkConcurrency(concurrency)
    for (const { intake } of this.#running) intake.setConcurrency(concurrency)
  }

  pause(): void {
    for (const { intake } of this.#running) intake.pause()
  }

  resume(): void {
    for (const { intake } of this.#running) intake.resume()
  }

  stop({ drainTimeoutMs = SERVICE_DEFAULTS.drainTimeoutMs }: StopOptions = {}): Promise<void> {
    return (this.#stopping ??= this.#stop(drainTimeoutMs))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  health(): readonly PartHealth[] {
    return this.#running.map(({ intake }) => intake.health())
  }

  async #stop(drainTimeoutMs: number): Promise<void> {
    await Promise.all(
      this.#running.map(({ intake, subscription }) => {
        // the carrier first recalls, so that what the intake gives back does not come again
        const stopped = subscription.stop({ drainTimeoutMs })
        intake.stop()
        return stopped
      }),
    )
    this.#onStopped()
  }
}
