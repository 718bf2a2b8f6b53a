import { Client, Metadata } from '@grpc/grpc-js'
import { ClosedError, TimeoutError, type InferInput, type InferOutput, type Schema } from '@waybill/core'
import { clientCredentials, type ClientTls } from './credentials.ts'
import { channelOptions, resolveConnection, whole, type ConnectionOptions, type ResolvedConnection } from './options.ts'
import { resumingStream, type ResumingOptions, type ResumingStream } from './resuming.ts'
import type { MethodSchemas, StreamMethod, StreamService } from './service.ts'
import { TypedStream, type BidiStream, type RawClientCall, type StreamOptions } from './stream.ts'

export interface ChannelOptions extends ConnectionOptions {
  /** `host:port`, or a target that gRPC resolves, such as `dns:///payments:50051`. */
  readonly address: string
  /** @default plain text: for loopback, or behind a mesh that encrypts */
  readonly tls?: ClientTls | undefined
}

export interface OpenOptions extends StreamOptions {
  /** The stream as a whole must be over by then. @default none: a stream may stay open for days */
  readonly deadline?: Date | undefined
  /** Text metadata, lower-case keys. */
  readonly metadata?: Readonly<Record<string, string>> | undefined
}

type In<M extends Record<string, MethodSchemas>, K extends keyof M> = InferInput<M[K]['request']>
type Out<M extends Record<string, MethodSchemas>, K extends keyof M> = InferOutput<M[K]['response']>

/** A connection to a server, made at the first stream and again whenever it was lost. */
export interface StreamChannel extends Disposable {
  /** Opens one stream. It ends with its connection; see `resuming`. */
  bidi<M extends Record<string, MethodSchemas>, K extends keyof M & string>(
    service: StreamService<M>,
    method: K,
    options?: OpenOptions,
  ): BidiStream<In<M, K>, Out<M, K>>
  /** One stream after another, as one: dropped, it is opened again, and `resume` sends what is still unanswered. */
  resuming<M extends Record<string, MethodSchemas>, K extends keyof M & string>(
    service: StreamService<M>,
    method: K,
    options: ResumingOptions<In<M, K>> & OpenOptions,
  ): ResumingStream<In<M, K>, Out<M, K>>
  /**
   * Resolves when the server is connected.
   * @throws {TimeoutError} not within `timeoutMs`
   */
  ready(timeoutMs: number): Promise<void>
  /** Cancels all streams and lets the connection go. Idempotent. */
  close(): void
}

/**
 * A client for typed streams.
 * @throws {ConfigError} an option out of bounds
 */
export function createChannel(options: ChannelOptions): StreamChannel {
  return new TypedChannel(options, resolveConnection(options))
}

class TypedChannel implements StreamChannel {
  readonly #client: Client
  readonly #resolved: ResolvedConnection
  readonly #address: string
  readonly #closed = new AbortController()

  constructor(options: ChannelOptions, resolved: ResolvedConnection) {
    this.#resolved = resolved
    this.#address = options.address
    this.#client = new Client(options.address, clientCredentials(options.tls), {
      ...channelOptions(resolved),
      // Its retries end at the first response header and buffer up to 16 MiB; `resuming` does better.
      'grpc.enable_retries': 0,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 5_000,
      'grpc.use_local_subchannel_pool': 1,
    })
  }

  bidi<M extends Record<string, MethodSchemas>, K extends keyof M & string>(
    service: StreamService<M>,
    method: K,
    options: OpenOptions = {},
  ): BidiStream<In<M, K>, Out<M, K>> {
    return this.#open(service.methods[method], options)
  }

  resuming<M extends Record<string, MethodSchemas>, K extends keyof M & string>(
    service: StreamService<M>,
    method: K,
    options: ResumingOptions<In<M, K>> & OpenOptions,
  ): ResumingStream<In<M, K>, Out<M, K>> {
    const open = () => this.#open(service.methods[method], options)
    return resumingStream(open, { ...options, signal: this.#until(options.signal) }, this.#resolved)
  }

  #open<Req extends Schema, Res extends Schema>(
    method: StreamMethod<Req, Res>,
    options: OpenOptions,
  ): BidiStream<InferInput<Req>, InferOutput<Res>> {
    if (this.#closed.signal.aborted) throw this.#closed.signal.reason
    const metadata = new Metadata()
    for (const [key, value] of Object.entries(options.metadata ?? {})) metadata.set(key, value)
    const asIs = (bytes: Uint8Array) => bytes as Buffer
    const deadline = options.deadline && { deadline: options.deadline }
    const raw: RawClientCall = this.#client.makeBidiStreamRequest(method.path, asIs, asIs, metadata, { ...deadline })
    return new TypedStream(raw, method, this.#resolved, { ...options, signal: this.#until(options.signal) })
  }

  #until(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#closed.signal : AbortSignal.any([this.#closed.signal, signal])
  }

  ready(timeoutMs: number): Promise<void> {
    whole('timeoutMs', timeoutMs, 1, 2 ** 31 - 1)
    return new Promise((resolve, reject) => {
      this.#client.waitForReady(Date.now() + timeoutMs, (cause) => {
        if (!cause) return resolve()
        const text = `${this.#address} not connected within ${timeoutMs} ms: is its server up, and timeoutMs long enough?`
        reject(new TimeoutError(text, { cause }))
      })
    })
  }

  close(): void {
    if (this.#closed.signal.aborted) return
    this.#closed.abort(new ClosedError(`channel to ${this.#address} is closed`))
    this.#client.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
