import { ClosedError, ConfigError, ConnectionError, TimeoutError, reasonOf, sleep } from '@waybill/core'
import type { MessagingError, PartHealth } from '@waybill/core'
import type { AmqpConnection } from './client.ts'
import { dial } from './dial.ts'
import type { ResolvedOptions } from './options.ts'

/** One life of a connection. */
export interface Session {
  readonly connection: AmqpConnection
  /** Aborts when this life is over. */
  readonly lost: AbortSignal
  /** RabbitMQ's major version, 4 where it can't be told. */
  readonly brokerMajor: number
}

interface LinkEvents {
  onUp?(session: Session): void
  /** Not connected: a try failed, or the connection was lost. */
  onDown?(reason: MessagingError): void
  /** The broker takes messages again. */
  onUnblocked?(): void
}

/**
 * One purpose's connection: opened at first use, made anew for as long as it is wanted. Not amqplib's own recovery,
 * which may report a dead connection as live when it drops during set-up.
 */
export class Link {
  readonly purpose: string
  readonly #options: ResolvedOptions
  readonly #listeners = new Set<LinkEvents>()
  readonly #ending = new AbortController()
  #session: Session | undefined
  #running: Promise<void> | undefined
  #state: PartHealth['state'] = 'up'
  #sinceMs: number
  #reason: string | undefined
  #failure: MessagingError | undefined
  #blocked: string | undefined

  constructor(purpose: string, options: ResolvedOptions) {
    this.purpose = purpose
    this.#options = options
    this.#sinceMs = options.ports.clock.nowMs()
  }

  get session(): Session | undefined {
    return this.#session
  }

  get used(): boolean {
    return this.#running !== undefined
  }

  /** The broker's reason while it takes no messages (memory or disk alarm). */
  get blocked(): string | undefined {
    return this.#blocked
  }

  /** Why the last try failed, while there is no session. */
  get failure(): MessagingError | undefined {
    return this.#failure
  }

  listen(events: LinkEvents): () => void {
    this.#listeners.add(events)
    return () => this.#listeners.delete(events)
  }

  start(): void {
    if (this.#ending.signal.aborted) throw new ClosedError('the RabbitMQ transport is stopped: create a new one')
    this.#running ??= this.#run()
  }

  /**
   * The live session, waiting for one. A wrong configuration or credential rejects at once, while tries go on.
   * @throws {ConfigError} @throws {ConnectionError} @throws {ClosedError} or the signal's reason
   */
  ready(signal: AbortSignal, patient: boolean): Promise<Session> {
    this.start()
    if (this.#session) return Promise.resolve(this.#session)
    if (signal.aborted) return Promise.reject(signal.reason as Error)
    return new Promise((resolve, reject) => {
      const done = () => {
        unlisten()
        signal.removeEventListener('abort', onAbort)
        this.#ending.signal.removeEventListener('abort', onAbort)
      }
      const onAbort = () => {
        done()
        reject((signal.aborted ? signal.reason : this.#ending.signal.reason) as Error)
      }
      const unlisten = this.listen({
        onUp(session) {
          done()
          resolve(session)
        },
        onDown(reason) {
          if (patient || !(reason instanceof ConfigError)) return
          done()
          reject(reason)
        },
      })
      signal.addEventListener('abort', onAbort, { once: true })
      this.#ending.signal.addEventListener('abort', onAbort, { once: true })
    })
  }

  /**
   * The live session within a time; the reason of the last failure where there is one.
   * @throws {ConfigError} @throws {ConnectionError} @throws {TimeoutError} or the given signal's reason
   */
  async readyWithin(timeoutMs: number, signal?: AbortSignal): Promise<Session> {
    const late = new AbortController()
    const cancel = this.#options.ports.timers.schedule(() => {
      late.abort(this.#failure ?? new TimeoutError(`RabbitMQ not reached within ${timeoutMs} ms (connectTimeoutMs)`))
    }, timeoutMs)
    try {
      return await this.ready(signal === undefined ? late.signal : AbortSignal.any([late.signal, signal]), false)
    } finally {
      cancel()
    }
  }

  health(): PartHealth {
    const degraded = this.#state === 'up' && this.#blocked !== undefined
    const reason = degraded ? `the broker takes no messages: ${this.#blocked}` : this.#reason
    return {
      part: this.purpose,
      state: degraded ? 'degraded' : this.#state,
      sinceMs: this.#sinceMs,
      ...(reason !== undefined && { reason }),
    }
  }

  /** Ends it for good; a close that the broker does not answer within `deadlineMs` is left to the socket. */
  async close(deadlineMs: number): Promise<void> {
    if (!this.#ending.signal.aborted) this.#ending.abort(new ClosedError('the RabbitMQ transport is stopped'))
    const connection = this.#session?.connection
    if (connection !== undefined && connection !== this.#options.connection) {
      await closeWithin(connection, deadlineMs, this.#options)
    }
    await this.#running
  }

  async #run(): Promise<void> {
    const { endpoints, reconnectMs, ports, logger } = this.#options
    for (let attempt = 0; !this.#ending.signal.aborted; attempt++) {
      let reason: MessagingError
      const startedMs = ports.clock.nowMs()
      try {
        const endpoint = endpoints[attempt % endpoints.length]
        const connection =
          endpoint === undefined
            ? this.#options.connection!
            : await dial(endpoint, this.purpose, this.#options, this.#ending.signal)
        reason = await this.#live(connection)
        // one that broke at once counts as a failed try, lest we storm a broker that throws everyone out
        if (ports.clock.nowMs() - startedMs > 2_000) attempt = -1
      } catch (error) {
        reason = error as MessagingError
      }
      if (this.#ending.signal.aborted) return
      this.#down(reason)
      if (endpoints.length === 0) return
      const boundMs = Math.min(reconnectMs.max, reconnectMs.first * 2 ** Math.min(Math.max(attempt, 0), 20))
      const delayMs = boundMs * (0.5 + 0.5 * ports.random())
      logger.warn({ part: this.purpose, reason: reason.message, delayMs }, 'RabbitMQ away, trying again')
      await sleep(ports.timers, delayMs, this.#ending.signal).catch(() => {})
    }
  }

  /** Lives through one connection; resolves with why it ended. */
  async #live(connection: AmqpConnection): Promise<MessagingError> {
    const lost = new AbortController()
    let lastError: Error | undefined
    const ended = new Promise<MessagingError>((resolve) => {
      const onError = (error: Error) => (lastError = error)
      const onClose = (error?: Error) => {
        for (const [event, listener] of listeners) connection.removeListener(event, listener)
        // amqplib may still report a late error of the dead connection, which must not become an uncaught one
        connection.on('error', () => {})
        const cause = lastError ?? error
        const text = cause === undefined ? '' : ` (${reasonOf(cause).slice(0, 200)})`
        const reason = new ConnectionError(`connection to RabbitMQ lost${text}: it is being made anew`, { cause })
        this.#session = undefined
        this.#blocked = undefined
        lost.abort(reason)
        resolve(reason)
      }
      const onBlocked = (why: string) => {
        this.#blocked = String(why).slice(0, 200)
        this.#sinceMs = this.#options.ports.clock.nowMs()
        this.#options.logger.warn({ part: this.purpose, reason: this.#blocked }, 'RabbitMQ takes no messages')
      }
      const onUnblocked = () => {
        this.#blocked = undefined
        this.#sinceMs = this.#options.ports.clock.nowMs()
        for (const listener of [...this.#listeners]) listener.onUnblocked?.()
      }
      const listeners: [string, (...given: never[]) => void][] = [
        ['error', onError],
        ['handler-error', onError],
        ['close', onClose],
        ['blocked', onBlocked],
        ['unblocked', onUnblocked],
      ]
      for (const [event, listener] of listeners) connection.on(event, listener)
    })
    if (this.#ending.signal.aborted) {
      if (connection !== this.#options.connection) await closeWithin(connection, 1_000, this.#options)
      return new ConnectionError('stopped')
    }
    const session = { connection, lost: lost.signal, brokerMajor: majorVersion(connection) }
    this.#session = session
    this.#failure = undefined
    this.#set('up', undefined)
    for (const listener of [...this.#listeners]) listener.onUp?.(session)
    // a connection handed in outlives us, and a frozen broker never answers a close
    const stopped = new Promise<MessagingError>((resolve) => {
      this.#ending.signal.addEventListener('abort', () => resolve(new ConnectionError('stopped')), { once: true })
    })
    return await Promise.race([ended, stopped])
  }

  #down(reason: MessagingError): void {
    this.#failure = reason
    this.#set('down', reason.message)
    for (const listener of [...this.#listeners]) listener.onDown?.(reason)
  }

  #set(state: PartHealth['state'], reason: string | undefined): void {
    if (state !== this.#state) this.#sinceMs = this.#options.ports.clock.nowMs()
    this.#state = state
    this.#reason = reason
  }
}

async function closeWithin(connection: AmqpConnection, deadlineMs: number, options: ResolvedOptions): Promise<void> {
  let cancel: () => void = () => {}
  const late = new Promise<void>((resolve) => {
    cancel = options.ports.timers.schedule(() => {
      // amqplib waits for the answer for ever; its socket is not public, so it is reached for with care
      const { connection: inner } = connection as { connection?: { stream?: { destroy?(error: Error): void } } }
      inner?.stream?.destroy?.(new Error('close not answered'))
      resolve()
    }, deadlineMs)
  })
  await Promise.race([connection.close().catch(() => {}), late])
  cancel()
}

function majorVersion(connection: AmqpConnection): number {
  const { connection: inner } = connection as { connection?: { serverProperties?: { version?: unknown } } }
  const major = Number.parseInt(String(inner?.serverProperties?.version ?? ''), 10)
  return Number.isFinite(major) ? major : 4
}
