import { OverloadError } from '@waybill/core'

/** What is written to a call, by shape. */
export interface WritableCall {
  write(bytes: Uint8Array): boolean
  once(event: 'drain', listener: () => void): unknown
  off(event: 'drain', listener: () => void): unknown
  readonly writableLength: number
}

/**
 * Writes with backpressure. A write to a call that is over would be dropped in silence, and its `drain` never comes:
 * every wait is raced with the end of the call.
 */
export class Outgoing {
  readonly #call: WritableCall
  readonly #over: AbortSignal
  readonly #maxPendingSends: number
  #room: Promise<void> | undefined

  /** `over` aborts when the call is over, with the reason that later sends are to see. */
  constructor(call: WritableCall, over: AbortSignal, maxPendingSends: number) {
    this.#call = call
    this.#over = over
    this.#maxPendingSends = maxPendingSends
  }

  /** Resolves when there is room for the next. */
  async send(bytes: Uint8Array): Promise<void> {
    this.#over.throwIfAborted()
    if (this.#call.writableLength >= this.#maxPendingSends) {
      throw new OverloadError(
        `${this.#maxPendingSends} messages wait for a slow peer: await each send, or raise maxPendingSends`,
      )
    }
    if (this.#call.write(bytes)) return
    await (this.#room ??= this.#nextRoom().finally(() => (this.#room = undefined)))
  }

  #nextRoom(): Promise<void> {
    return new Promise((resolve, reject) => {
      const drained = () => {
        this.#over.removeEventListener('abort', over)
        resolve()
      }
      const over = () => {
        this.#call.off('drain', drained)
        reject(this.#over.reason as Error)
      }
      this.#call.once('drain', drained)
      this.#over.addEventListener('abort', over, { once: true })
    })
  }
}
