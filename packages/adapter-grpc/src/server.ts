import { Server } from '@grpc/grpc-js'
import { ConfigError, ConnectionError, sleep } from '@waybill/core'
import type { StreamRoute } from './bidi.ts'
import { serverCredentials, type ServerTls } from './credentials.ts'
import { channelOptions, resolveConnection, type ConnectionOptions, type ResolvedConnection } from './options.ts'
import { serveStream, type RawServerCall } from './serve-stream.ts'

export interface ServeOptions extends ConnectionOptions {
  /** `host:port` to listen on; port 0 takes a free one. */
  readonly address: string
  /** What `bidi` made. */
  readonly services: readonly StreamRoute[]
  /** @default plain text: for loopback, or behind a mesh that encrypts */
  readonly tls?: ServerTls | undefined
  /** Streams of one connection at once. @default 1_000 */
  readonly maxStreamsPerConnection?: number | undefined
}

export interface StreamServer extends AsyncDisposable {
  readonly port: number
  /** Streams under way. */
  readonly openStreams: number
  /**
   * Takes no new streams and no further requests, lets the handlers finish, and tells clients to reconnect elsewhere.
   * After `drainTimeoutMs` (default 10_000) the handlers' signal aborts and connections are cut. Idempotent.
   */
  stop(options?: { readonly drainTimeoutMs?: number | undefined }): Promise<void>
}

/**
 * Serves typed streams.
 * @throws {ConfigError} an option out of bounds, or two handlers for one method
 * @throws {ConnectionError} the address can not be listened on
 */
export async function serve(options: ServeOptions): Promise<StreamServer> {
  const resolved = resolveConnection(options)
  const seen = new Set<string>()
  for (const { definition } of options.services) {
    if (seen.has(definition.path)) throw new ConfigError(`method ${definition.path} has two handlers: give one`)
    seen.add(definition.path)
  }
  const server = new TypedServer(options, resolved)
  await server.listen(options)
  return server
}

/** Handlers that don't end when their signal aborts get this long before their connection is cut. */
const afterAbortMs = 500

class TypedServer implements StreamServer {
  readonly #server: Server
  readonly #resolved: ResolvedConnection
  readonly #draining = new AbortController()
  readonly #stopped = new AbortController()
  readonly #streams = new Set<Promise<void>>()
  #stopping: Promise<void> | undefined
  #port = 0

  constructor(options: ServeOptions, resolved: ResolvedConnection) {
    this.#resolved = resolved
    this.#server = new Server({
      ...channelOptions(resolved),
      'grpc.max_concurrent_streams': options.maxStreamsPerConnection ?? 1_000,
    })
    for (const route of options.services) {
      const { path } = route.definition
      const asIs = (bytes: Uint8Array) => bytes as Buffer
      const definition = { path, requestStream: true as const, responseStream: true as const }
      const codecs = { requestDeserialize: asIs, requestSerialize: asIs, responseSerialize: asIs }
      this.#server.addService(
        { [route.method]: { ...definition, ...codecs, responseDeserialize: asIs } },
        { [route.method]: (raw: RawServerCall) => this.#run(route, raw) },
      )
    }
  }

  get port(): number {
    return this.#port
  }

  get openStreams(): number {
    return this.#streams.size
  }

  listen({ address, tls }: ServeOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(address, serverCredentials(tls), (cause, port) => {
        if (cause) return reject(new ConnectionError(`can not listen on ${address}: ${cause.message}`, { cause }))
        this.#port = port
        resolve()
      })
    })
  }

  #run(route: StreamRoute, raw: RawServerCall): void {
    const around = { resolved: this.#resolved, draining: this.#draining.signal, stopped: this.#stopped.signal }
    const stream = serveStream(route, raw, around).finally(() => this.#streams.delete(stream))
    this.#streams.add(stream)
  }

  stop({ drainTimeoutMs = 10_000 }: { drainTimeoutMs?: number | undefined } = {}): Promise<void> {
    return (this.#stopping ??= this.#stop(drainTimeoutMs))
  }

  async #stop(drainTimeoutMs: number): Promise<void> {
    // Closes the listener and tells each connection to go away; streams under way keep working, and it would wait
    // for them without end.
    const closed = new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()))
    this.#draining.abort()
    await this.#within(drainTimeoutMs, this.#idle())
    this.#stopped.abort()
    await this.#within(
      afterAbortMs,
      this.#idle().then(() => closed),
    )
    this.#server.forceShutdown()
  }

  async #idle(): Promise<void> {
    while (this.#streams.size > 0) await Promise.allSettled(this.#streams)
  }

  async #within(timeoutMs: number, work: Promise<void>): Promise<void> {
    const done = new AbortController()
    const patience = sleep(this.#resolved.ports.timers, timeoutMs, done.signal).catch(() => {})
    await Promise.race([work, patience])
    done.abort()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}
