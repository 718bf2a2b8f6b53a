import { randomUUID } from 'node:crypto'
import {
  ClosedError,
  ConfigError,
  ConnectionError,
  type CallOptions,
  type Capabilities,
  type Delivery,
  type Parked,
  type PartHealth,
  type ReplyAddress,
  type Settlement,
  type SubscribeOptions,
  type Subscription,
  type Topology,
  type Transport,
  type WireMessage,
} from '@waybill/core'
import { Listener } from '../listen.ts'
import { LogReader } from '../log/reader.ts'
import { ReaderRow } from '../log/reader-row.ts'
import { Maintenance } from '../maintenance.ts'
import { parkedRows } from '../parked-rows.ts'
import { channelOf, Notifier, Wake } from '../wake.ts'
import { logHealth } from '../status/health.ts'
import { watchPool } from '../watch-pool.ts'
import {
  POSTGRES_DEFAULTS,
  resolvePostgresOptions,
  type PostgresOptions,
  type ResolvedPostgresOptions,
} from './options.ts'
import { LogPublisher } from './publisher.ts'
import { processReader, queueReader, TRANSPORT } from './reader-names.ts'
import { Registry } from './registry.ts'
import { LogSubscription, sourceFilter } from './subscription.ts'

const CAPABILITIES: Capabilities = Object.freeze({
  confirm: 'disk',
  orderedPublish: true,
  unroutable: true,
  persistent: true,
  order: 'key',
  services: true,
  broadcast: true,
  replay: true,
  attempts: 'exact',
  requeue: 'native',
  deadLetter: true,
  ackBefore: true,
  schedule: true,
  priority: false,
  nullBody: true,
  binaryHeaders: true,
  maxBodyBytes: POSTGRES_DEFAULTS.maxBodyBytes,
  maxHeaderBytes: POSTGRES_DEFAULTS.maxHeaderBytes,
})

/**
 * PostgreSQL as a carrier: a log that services read by position. Durable, replayable, for many processes.
 * @throws {ConfigError} for an option out of bounds
 */
export function postgres(options: PostgresOptions): Transport {
  return new PostgresTransport(resolvePostgresOptions(options))
}

class PostgresTransport implements Transport {
  readonly name = TRANSPORT
  readonly capabilities = CAPABILITIES
  readonly parked: Parked
  readonly #options: ResolvedPostgresOptions
  readonly #registry: Registry
  readonly #publisher: LogPublisher
  readonly #wake = new Wake()
  readonly #notifier: Notifier
  readonly #maintenance: Maintenance
  readonly #listener: Listener | undefined
  readonly #unhook: () => void
  readonly #subscriptions = new Map<string, LogSubscription>()
  readonly #replies = new Set<LogReader>()
  #closing: Promise<void> | undefined

  constructor(options: ResolvedPostgresOptions) {
    this.#options = options
    const { pool, quoted: schema, retentionMs } = options
    this.#notifier = new Notifier(pool, channelOf(options.schema))
    const written = () => {
      this.#wake.fire()
      this.#notifier.notify()
    }
    this.#registry = new Registry(options)
    this.#publisher = new LogPublisher(options, this.#registry, written)
    this.parked = parkedRows({ pool, schema, onReplay: written })
    this.#maintenance = new Maintenance({ pool, schema, retentionMs, onScheduled: written })
    this.#listener =
      options.listen === undefined
        ? undefined
        : new Listener(options.listen, channelOf(options.schema), () => this.#wake.fire())
    this.#wake.listen(() => {
      for (const subscription of this.#subscriptions.values()) subscription.wake()
      for (const reader of this.#replies) reader.wake()
    })
    const unhookOutbox = options.outbox?.onCommit(() => this.#wake.fire())
    // a connection that broke may have led to a server that is no longer the one to be asked
    const onError = (error: Error) => {
      for (const subscription of this.#subscriptions.values()) subscription.forget(error)
      for (const reader of this.#replies) reader.forget(error)
    }
    const unwatch = watchPool(pool, onError)
    this.#unhook = () => {
      unhookOutbox?.()
      unwatch()
    }
  }

  publish(messages: readonly WireMessage[], options?: CallOptions): readonly Promise<void>[] {
    if (this.#closing) return messages.map(() => Promise.reject(closed()))
    return this.#publisher.publish(messages, options)
  }

  async subscribe(
    options: SubscribeOptions,
    deliver: (delivery: Delivery) => Promise<Settlement>,
  ): Promise<Subscription> {
    if (this.#closing) throw closed()
    const { service, mode } = options
    checkNames([service, ...options.sources.map((source) => source.name)])
    const name = mode === 'broadcast' ? randomUUID() : service
    if (this.#subscriptions.has(name)) {
      throw new ConfigError(`service "${service}" is subscribed already: give all of its sources in one call`)
    }
    const subscription = new LogSubscription(this.#options, CAPABILITIES, options, deliver, () => {
      this.#subscriptions.delete(name)
      // whoever stands by may take the lease now
      this.#wake.fire()
    })
    this.#subscriptions.set(name, subscription)
    try {
      await subscription.start()
    } catch (cause) {
      throw unreachable(`subscribe "${service}"`, cause)
    }
    return subscription
  }

  /** Makes the queues, so that what is sent to one is kept until a service reads it. */
  async declare({ destinations }: Topology): Promise<void> {
    if (this.#closing) throw closed()
    checkNames(destinations.map((destination) => destination.name))
    const { pool, quoted, leaseMs } = this.#options
    for (const { kind, name } of destinations) {
      if (kind !== 'queue') continue
      const row = new ReaderRow(pool, quoted, { name: queueReader(name), kind: 'queue', service: name, leaseMs })
      await row.register('earliest').catch((cause: unknown) => {
        throw unreachable(`declare queue "${name}"`, cause)
      })
    }
  }

  async openReplies(onReply: (reply: WireMessage) => void, onLost: (reason: Error) => void): Promise<ReplyAddress> {
    if (this.#closing) throw closed()
    const { pool, quoted: schema, leaseMs, pollMs } = this.#options
    const address = `reply/${randomUUID()}`
    const reader = new LogReader({
      pool,
      schema,
      leaseMs,
      pollMs,
      name: processReader(address),
      kind: 'process',
      service: address,
      holder: address,
      filter: sourceFilter([{ kind: 'reply', name: address }]),
      start: 'latest',
      ordered: false,
      keyOrder: 'none',
      batch: this.#options.batch,
      consumer: {
        room: () => true,
        take: (row, tenure) => {
          onReply(row.message)
          tenure.settle(row, { kind: 'done' })
        },
      },
      onReset: () =>
        onLost(new ConnectionError('the reply address was given up: its process was not seen for a minute')),
    })
    await reader.start().catch((cause: unknown) => {
      throw unreachable('open a reply address', cause)
    })
    this.#replies.add(reader)
    return {
      address,
      [Symbol.asyncDispose]: async () => {
        this.#replies.delete(reader)
        await reader.stop(0)
      },
    }
  }

  async health({ timeoutMs = 5_000 }: CallOptions = {}): Promise<readonly PartHealth[]> {
    if (this.#closing) return [{ part: TRANSPORT, state: 'down', sinceMs: Date.now(), reason: closed().message }]
    const { pool, schema } = this.#options
    const parts = [...this.#subscriptions.values()].flatMap((subscription) => subscription.health)
    const readers = parts.map(({ part }) => part.slice('reader '.length))
    const reason = this.#maintenance.reason ?? this.#listener?.reason
    const log = await logHealth({ pool, schema, readers, reason, timeoutMs })
    return [log.database, ...log.withReasons(parts)]
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#subscriptions.values()].map((subscription) => subscription.stop()))
    await Promise.all([...this.#replies].map((reader) => reader.stop(0)))
    this.#replies.clear()
    await this.#publisher.drain()
    await Promise.all([this.#maintenance.stop(), this.#listener?.stop()])
    this.#unhook()
  }
}

/** A text column holds no U+0000, so that nothing could ever be sent there. */
function checkNames(names: readonly string[]): void {
  const wrong = names.find((name) => name.includes('\0'))
  if (wrong !== undefined) throw new ConfigError(`the name ${JSON.stringify(wrong)} has U+0000: take it out`)
}

function closed(): ClosedError {
  return new ClosedError('the postgres transport is closed')
}

function unreachable(what: string, cause: unknown): Error {
  if (cause instanceof ConfigError) return new ConfigError(`${what}: ${cause.message}`, { cause })
  const { code, message } = cause as { code?: unknown; message?: unknown }
  if (code === '42P01' || code === '3F000') {
    return new ConfigError(`${what}: the tables are missing; run migrate({ pool }) or "waybill-outbox migrate" first`, {
      cause,
    })
  }
  if (code === '42501' || code === '28P01' || code === '28000') {
    return new ConfigError(`${what}: not allowed (${String(message)})`, { cause })
  }
  return new ConnectionError(`${what}: PostgreSQL not reached`, { cause })
}
