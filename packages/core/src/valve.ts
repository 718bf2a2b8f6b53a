import type { IntakeContext } from './intake-context.ts'
import { Line, type LineState } from './line.ts'

/** Whether deliveries may start: not while the service is paused, and not while its line is stopped. */
export class Valve {
  readonly line: Line
  readonly #context: IntakeContext
  readonly #onClosed: () => void
  readonly #onOpen: (state: LineState) => void
  #paused = false
  #held = false

  /** `onClosed` gives back what waits, `onOpen` lets it start. */
  constructor(context: IntakeContext, onClosed: () => void, onOpen: (state: LineState) => void) {
    this.#context = context
    this.#onClosed = onClosed
    this.#onOpen = onOpen
    this.line = new Line(context.bus.ports, context.options.circuit, (state) => this.#onLine(state))
  }

  get open(): boolean {
    return !this.#held && this.opensAlone
  }

  /** Open but for the message that everything else is held back for. */
  get opensAlone(): boolean {
    return !this.#paused && this.line.state !== 'stopped'
  }

  /** Closed, and the carrier was told: what it still delivers goes back at once. */
  get refuses(): boolean {
    return !this.open && this.#context.subscription?.pause !== undefined
  }

  pause(): void {
    this.#paused = true
    this.#close()
  }

  resume(): void {
    this.#paused = false
    this.#reopen()
  }

  /** Closes for all but one message, until `letGo`. */
  hold(): void {
    this.#held = true
    this.#close()
  }

  letGo(): void {
    this.#held = false
    this.#reopen()
  }

  /** Tells a subscription that has just come what was said before it was there. */
  attach(): void {
    if (!this.open) this.#context.subscription?.pause?.()
  }

  /** Stops the line, and says how long the message that failed waits in place, or that it is to be released. */
  stopTheLine(reason: string): 'release' | { readonly waitMs: number } {
    this.line.stop(`stopped by a dependency: ${reason}`)
    return this.whileStopped()
  }

  /** What becomes of a message that failed and can't be requeued, while the line is stopped. */
  whileStopped(): 'release' | { readonly waitMs: number } {
    // without pause the carrier would bring it back at once: it waits in its lane for the probe
    return this.#context.subscription?.pause === undefined ? { waitMs: 0 } : 'release'
  }

  stop(): void {
    this.line.close()
  }

  #onLine(state: LineState): void {
    const { logger } = this.#context.bus
    const { service } = this.#context.options
    if (state === 'running') logger.info({ service }, 'what was stopped works again: the service goes on')
    if (state !== 'stopped') return this.#reopen()
    logger.error({ service, reason: this.line.reason }, 'the service stops, and probes')
    this.#close()
  }

  #close(): void {
    if (this.#context.subscription?.pause === undefined) return
    this.#context.subscription.pause()
    this.#onClosed()
  }

  #reopen(): void {
    if (!this.open) return
    this.#context.subscription?.resume?.()
    this.#onOpen(this.line.state)
  }
}
