import type { IntakeContext } from './intake-context.ts'
import { sleep } from './ports.ts'
import type { Work } from './work.ts'

/** What was given back must have left the process before a handler that may end it starts. */
const LEAVE_MS = 100

/** What is done to the rest of the service. */
export interface Others {
  /** Gives back all that has not started, and lets no more in. */
  close(): void
  reopen(): void
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
  #onAlone: (() => void) | undefined

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
    await new Promise<void>((resolve) => {
      this.#onAlone = resolve
      this.check()
    })
    const { bus, options } = this.#context
    await sleep(bus.ports.timers, LEAVE_MS)
    const { id, type } = work.message
    const { crashes } = work.delivery
    bus.logger.warn({ service: options.service, id, type, crashes }, 'message opened alone')
    await run()
    this.#busy = false
    this.#others.reopen()
  }

  /** Called when something has ended: the one that is to be alone may be so now. */
  check(): void {
    if (this.#onAlone === undefined || this.#running() > 1) return
    const onAlone = this.#onAlone
    this.#onAlone = undefined
    onAlone()
  }
}
