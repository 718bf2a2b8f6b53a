import type { IntakeContext } from './intake-context.ts'
import type { Work } from './work.ts'

/** What was given back must have left the process before a handler that may end it starts. */
const LEAVE_MS = 100

/** What is done to the rest of the service. */
export interface Others {
  /** Gives back all that has not started, and lets no more in. */
  close(): void
  reopen(): void
  /** Gives back what waits between two tries, but for `work`: it would go on beside it. */
  endWaits(work: Work): void
  /** Whether nothing may start any more, not even alone. */
  stopped(): boolean
}

/**
 * Opens a message alone that was open in processes that ended: nothing else runs or waits beside it, so that only the one
 * to blame is counted again, and neighbours never pay. (R17)
 */
export class Solo {
  readonly #context: IntakeContext
  readonly #running: () => number
  readonly #others: Others
  #busy = false
  /** Looks again whether the one that waits may start. */
  #look: (() => void) | undefined

  constructor(context: IntakeContext, running: () => number, others: Others) {
    this.#context = context
    this.#running = running
    this.#others = others
  }

  /** Whether a message is being opened alone. */
  get busy(): boolean {
    return this.#busy
  }

  suspects({ delivery: { crashes } }: Work): boolean {
    return crashes !== undefined && crashes >= this.#context.options.maxCrashes && !this.#context.options.ackBefore
  }

  /** It was opened alone, and ended its process all the same. */
  convicts(work: Work): boolean {
    return this.suspects(work) && work.delivery.crashes! > this.#context.options.maxCrashes
  }

  async open(work: Work, run: () => Promise<void>): Promise<void> {
    // it is not run at all, so nobody has to go
    if (this.convicts(work)) return run()
    this.#busy = true
    this.#others.close()
    work.givenBack = !(await this.#alone(work))
    if (!work.givenBack) {
      const { bus, options } = this.#context
      const { id, type } = work.message
      const { crashes } = work.delivery
      bus.logger.warn({ service: options.service, id, type, crashes }, 'message opened alone')
    }
    await run()
    this.#busy = false
    this.#others.reopen()
  }

  /** Called when something has ended or was given back: the one that is to be alone may be so now, or may not start. */
  check(): void {
    this.#look?.()
  }

  /** Resolves when nothing is beside it any more, with `false` when it is not to start after all. */
  #alone(work: Work): Promise<boolean> {
    return new Promise((resolve) => {
      let cancel: (() => void) | undefined
      const decide = () => {
        this.#look = undefined
        cancel?.()
        resolve(!this.#mustGo(work))
      }
      this.#look = () => {
        if (this.#mustGo(work)) return decide()
        this.#others.endWaits(work)
        if (this.#running() > 1) return
        cancel ??= this.#context.bus.ports.timers.schedule(decide, LEAVE_MS)
      }
      this.#look()
    })
  }

  #mustGo({ delivery: { recalled, signal } }: Work): boolean {
    return this.#others.stopped() || recalled.aborted || signal.aborted
  }
}
