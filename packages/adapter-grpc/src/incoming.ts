/** What is read of a call, by shape. */
export interface ReadableCall {
  read(): unknown
  on(event: string, listener: () => void): unknown
  readonly readableEnded: boolean
  readonly destroyed: boolean
}

/**
 * Messages of a call as they are pulled. The stream's own buffer (16 messages) is the only one: nothing is asked of
 * the peer until it has room. Not the stream's own async iterator, because that destroys the stream at its end, and a
 * destroyed server call sends no status.
 */
export class Incoming {
  readonly #call: ReadableCall
  #stopped = false
  #wake: (() => void) | undefined

  constructor(call: ReadableCall) {
    this.#call = call
    for (const event of ['readable', 'end', 'close', 'error', 'cancelled']) call.on(event, () => this.#wake?.())
  }

  /** Whether the peer said that nothing more comes, and all of it was read. */
  get complete(): boolean {
    return this.#call.readableEnded
  }

  /** No further message is handed out. */
  stop(): void {
    this.#stopped = true
    this.#wake?.()
  }

  /** The next message's bytes; `undefined` after the last, or when the call is over. */
  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      if (this.#stopped) return undefined
      const bytes = this.#call.read() as Uint8Array | null
      if (bytes !== null) return bytes
      if (this.#call.readableEnded || this.#call.destroyed) return undefined
      await new Promise<void>((resolve) => (this.#wake = resolve))
      this.#wake = undefined
    }
  }
}
