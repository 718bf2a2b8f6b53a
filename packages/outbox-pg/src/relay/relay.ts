import { randomUUID } from 'node:crypto'
import type { Parked, PartHealth, StopOptions, Transport } from '@waybill/core'
import { Listener } from '../listen.ts'
import { LogReader } from '../log/reader.ts'
import { Maintenance } from '../maintenance.ts'
import { parkedRows } from '../parked-rows.ts'
import { relayReader } from '../postgres/reader-names.ts'
import { channelOf } from '../wake.ts'
import { logHealth } from '../status/health.ts'
import { watchPool } from '../watch-pool.ts'
import { RELAY_DEFAULTS, resolveRelayOptions, type RelayOptions, type ResolvedRelayOptions } from './options.ts'
import { readPending } from './pending.ts'
import { RelaySink } from './sink.ts'

export interface Relay extends AsyncDisposable {
  /** Each reader, each carrier, and the database. Never rejects. */
  health(): Promise<readonly PartHealth[]>
  /** Hands over no more, waits for confirms, gives its leases back, disposes its carriers. Idempotent. */
  stop(options?: StopOptions): Promise<void>
  /** Never rejects. */
  readonly ended: Promise<Error | undefined>
  /** What the carriers refused for good. */
  readonly parked: Parked
}

/**
 * Hands what an outbox wrote to its carriers: at least once, in order per key, one reader per carrier, so that a dead one
 * holds up no other. Run as many as you like: up to 16 share the keys of each carrier, further ones stand by.
 * @throws {ConfigError} for an option out of bounds
 */
export function startRelay(options: RelayOptions): Relay {
  return new LogRelay(resolveRelayOptions(options))
}

class LogRelay implements Relay {
  readonly ended: Promise<Error | undefined>
  readonly parked: Parked
  readonly #options: ResolvedRelayOptions
  readonly #parts: { readonly reader: LogReader; readonly sink: RelaySink }[] = []
  readonly #maintenance: Maintenance
  readonly #listener: Listener | undefined
  readonly #unhook: () => void
  readonly #unobserve: (() => void)[] = []
  #end!: (error: Error | undefined) => void
  #stopping: Promise<void> | undefined

  constructor(options: ResolvedRelayOptions) {
    this.#options = options
    this.ended = new Promise((resolve) => (this.#end = resolve))
    const { pool, quoted: schema, transports } = options
    const names = Object.keys(transports)
    names.forEach((name, index) => this.#parts.push(this.#part(name, names.length === 1, index === 0)))
    const wake = () => this.#wake()
    this.parked = parkedRows({ pool, schema, onReplay: wake, readers: names.map(relayReader) })
    this.#maintenance = new Maintenance({ pool, schema, retentionMs: options.retentionMs, onScheduled: wake })
    this.#listener =
      options.listen === undefined ? undefined : new Listener(options.listen, channelOf(options.schema), wake)
    const unhookOutbox = options.outbox?.onCommit(wake)
    const unwatch = watchPool(pool, (error) => this.#parts.forEach(({ reader }) => reader.forget(error)))
    this.#unhook = () => {
      unhookOutbox?.()
      unwatch()
    }
    for (const { reader } of this.#parts) reader.launch()
  }

  #part(name: string, only: boolean, first: boolean) {
    const {
      pool,
      quoted: schema,
      window,
      retryMs,
      onParked,
      logger,
      telemetry,
      leaseMs,
      batch,
      pollMs,
      transports,
    } = this.#options
    const readerName = relayReader(name)
    const holder = randomUUID()
    const sink = new RelaySink({
      name,
      reader: readerName,
      publisher: transports[name]!,
      only,
      pool,
      schema,
      window,
      retryMs,
      onParked,
      logger,
      telemetry,
      onRoom: () => reader.changed(),
    })
    const reader: LogReader = new LogReader({
      pool,
      schema,
      name: readerName,
      kind: 'relay',
      service: readerName,
      holder,
      // rows that name no carrier go to the only one; of several the first parks them, so that they are seen
      filter: { sql: first ? '(page.transport = $1 OR page.transport IS NULL)' : 'page.transport = $1', value: name },
      start: 'earliest',
      consumer: sink,
      ordered: true,
      keyOrder: onParked,
      settings: JSON.stringify({ onParked, retryMs, retentionMs: this.#options.retentionMs }),
      leaseMs,
      batch,
      pollMs,
    })
    if (telemetry !== undefined) {
      const query = { pool, schema, reader: readerName, holder, transport: name, unnamed: first }
      const facts = { transport: name }
      this.#unobserve.push(
        telemetry.observe('outboxPending', facts, async () => (await readPending(query))?.count),
        telemetry.observe('outboxOldestPendingAge', facts, async () => (await readPending(query))?.oldestAgeSeconds),
      )
    }
    return { reader, sink }
  }

  #wake(): void {
    for (const { reader } of this.#parts) reader.wake()
  }

  async health(): Promise<readonly PartHealth[]> {
    const own = this.#parts.flatMap(({ reader, sink }) => [reader.health, sink.health])
    const carriers = Object.entries(this.#options.transports).map(async ([name, carrier]) => {
      const parts = await (carrier as Partial<Transport>).health?.().catch((): PartHealth[] => [])
      return (parts ?? []).map((part) => ({ ...part, part: `${name}: ${part.part}` }))
    })
    const { pool, schema } = this.#options
    const readers = this.#parts.map(({ reader }) => reader.name)
    const reason = this.#maintenance.reason ?? this.#listener?.reason
    const log = await logHealth({ pool, schema, readers, reason })
    return [log.database, ...log.withReasons(own), ...(await Promise.all(carriers)).flat()]
  }

  stop({ drainTimeoutMs = RELAY_DEFAULTS.drainTimeoutMs }: StopOptions = {}): Promise<void> {
    this.#stopping ??= this.#stop(drainTimeoutMs)
    return this.#stopping
  }

  async #stop(drainTimeoutMs: number): Promise<void> {
    for (const end of this.#unobserve) end()
    await Promise.all(this.#parts.map(({ reader }) => reader.stop(drainTimeoutMs)))
    await Promise.all([this.#maintenance.stop(), this.#listener?.stop()])
    this.#unhook()
    const carriers = Object.values(this.#options.transports)
    const disposed = await Promise.allSettled(carriers.map(async (carrier) => carrier[Symbol.asyncDispose]?.()))
    const failed = disposed.find((result) => result.status === 'rejected')
    this.#end(failed?.reason as Error | undefined)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}
