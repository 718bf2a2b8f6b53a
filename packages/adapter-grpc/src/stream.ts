import type { ClientDuplexStream } from '@grpc/grpc-js'
import {
  ClosedError,
  CodecError,
  ValidationError,
  type InferInput,
  type InferOutput,
  type MessagingError,
  type Schema,
} from '@waybill/core'
import { Incoming } from './incoming.ts'
import type { ResolvedConnection } from './options.ts'
import { Outgoing } from './outgoing.ts'
import type { StreamMethod } from './service.ts'
import { fromStatus, type StatusObject } from './status.ts'

/** The client's side of one stream. Iterate it for the answers: one reader, once; leaving the loop cancels. */
export interface BidiStream<In, Out> extends AsyncIterable<Out> {
  /**
   * Resolves when there is room for the next; await it.
   * @throws {OverloadError} too many sends were not awaited
   * @throws {ValidationError | CodecError | PublishError} the message itself: wrong, or too big; the stream stays open
   * @throws {MessagingError} the stream is over
   */
  send(message: In): Promise<void>
  /** Nothing more will be sent; answers still come. */
  end(): void
  /** Ends both ways at once; the server's signal aborts. */
  cancel(reason?: Error): void
  /** Aborts when the stream is over, with the error it ended with. */
  readonly signal: AbortSignal
}

export interface StreamOptions {
  readonly signal?: AbortSignal | undefined
  /**
   * An answer that is not readable, or that its schema refused; the stream goes on.
   * @default the stream is cancelled and the iteration throws the error
   */
  readonly onInvalid?: ((error: ValidationError | CodecError, raw: unknown) => void) | undefined
}

export type RawClientCall = ClientDuplexStream<Uint8Array, Uint8Array>

export class TypedStream<Req extends Schema, Res extends Schema> implements BidiStream<
  InferInput<Req>,
  InferOutput<Res>
> {
  readonly #raw: RawClientCall
  readonly #method: StreamMethod<Req, Res>
  readonly #options: StreamOptions
  readonly #maxMessageBytes: number
  readonly #over = new AbortController()
  readonly #incoming: Incoming
  readonly #outgoing: Outgoing
  #failure: Error | undefined
  #ended = false

  constructor(
    raw: RawClientCall,
    method: StreamMethod<Req, Res>,
    resolved: ResolvedConnection,
    options: StreamOptions,
  ) {
    this.#raw = raw
    this.#method = method
    this.#options = options
    this.#maxMessageBytes = resolved.maxMessageBytes
    raw.on('error', (error) => {
      this.#failure ??= fromStatus(this.#what, error as unknown as StatusObject)
      this.#over.abort(this.#failure)
    })
    raw.on('status', () => this.#over.abort(new ClosedError(`${this.#what} was ended by the server`)))
    this.#incoming = new Incoming(raw)
    this.#outgoing = new Outgoing(raw, this.#over.signal, resolved.maxPendingSends)
    const { signal } = options
    if (signal?.aborted) this.cancel(signal.reason as Error)
    else signal?.addEventListener('abort', () => this.cancel(signal.reason as Error), { signal: this.#over.signal })
  }

  get #what(): string {
    return `stream ${this.#method.path}`
  }

  get signal(): AbortSignal {
    return this.#over.signal
  }

  async send(message: InferInput<Req>): Promise<void> {
    if (this.#ended) throw new ClosedError(`${this.#what}: send after end`)
    const written = this.#method.request.write(message, this.#maxMessageBytes)
    await this.#outgoing.send(written instanceof Promise ? await written : written)
  }

  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#raw.end()
  }

  cancel(reason: Error = new ClosedError(`${this.#what} was cancelled here`)): void {
    if (this.#over.signal.aborted) return
    this.#failure = reason
    this.#over.abort(reason)
    this.#raw.cancel()
    this.#incoming.stop()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<InferOutput<Res>, void, undefined> {
    try {
      for (;;) {
        const bytes = await this.#incoming.next()
        if (bytes === undefined) break
        const answer = await this.#read(bytes)
        if (answer !== undefined) yield answer.value
      }
      if (this.#failure !== undefined) throw this.#failure
    } finally {
      this.cancel()
      // Lets go of the half that was never ended.
      this.#raw.destroy()
    }
  }

  async #read(bytes: Uint8Array): Promise<{ value: InferOutput<Res> } | undefined> {
    let raw: unknown
    try {
      raw = this.#method.response.parse(bytes)
      return { value: await this.#method.response.check(raw) }
    } catch (error) {
      const { onInvalid } = this.#options
      if (onInvalid === undefined || !(error instanceof ValidationError || error instanceof CodecError)) throw error
      onInvalid(error, raw)
      return undefined
    }
  }
}

/** Whether opening the stream again may help. */
export function worthResuming(error: unknown): boolean {
  return (error as Partial<MessagingError> | undefined)?.retryable === true
}
