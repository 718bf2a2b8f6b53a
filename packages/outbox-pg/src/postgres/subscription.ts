import { randomUUID } from 'node:crypto'
import type {
  Capabilities,
  Delivery,
  PartHealth,
  Settlement,
  Source,
  SubscribeOptions,
  Subscription,
} from '@waybill/core'
import { LogReader, type ReaderOptions } from '../log/reader.ts'
import type { ResolvedPostgresOptions } from './options.ts'
import { processReader, queueReader, serviceReader, TRANSPORT } from './reader-names.ts'
import { DeliveryWindow } from './window.ts'

/** Rows of the log for these sources. */
export function sourceFilter(sources: readonly Pick<Source, 'kind' | 'name'>[]): ReaderOptions['filter'] {
  return {
    sql: `page.transport = '${TRANSPORT}' AND (page.kind || '/' || page.destination) = ANY ($1::text[])`,
    value: [...new Set(sources.map(({ kind, name }) => `${kind}/${name}`))],
  }
}

/** The readers of one service in this process, behind one window of open deliveries. */
export class LogSubscription implements Subscription {
  readonly capabilities: Capabilities
  readonly ended: Promise<Error | undefined>
  readonly #readers: readonly LogReader[]
  readonly #window: DeliveryWindow
  readonly #onStopped: () => void
  #end!: (error: Error | undefined) => void
  #stopping: Promise<void> | undefined

  constructor(
    transport: ResolvedPostgresOptions,
    capabilities: Capabilities,
    options: SubscribeOptions,
    deliver: (delivery: Delivery) => Promise<Settlement>,
    onStopped: (subscription: LogSubscription) => void,
  ) {
    this.capabilities = capabilities
    this.ended = new Promise((resolve) => (this.#end = resolve))
    this.#onStopped = () => onStopped(this)
    this.#window = new DeliveryWindow(options, deliver, () => {
      for (const reader of this.#readers) reader.changed()
    })
    this.#readers = readersOf(options).map(
      (reader) =>
        new LogReader({
          ...reader,
          pool: transport.pool,
          schema: transport.quoted,
          service: options.service,
          holder: randomUUID(),
          consumer: this.#window,
          ordered: options.mode === 'ordered',
          keyOrder: 'none',
          leaseMs: transport.leaseMs,
          // a page holds rows of others too: small pages would make a new service's way through a long log slow
          batch: Math.min(transport.batch, Math.max(100, options.maxOpen)),
          pollMs: transport.pollMs,
        }),
    )
  }

  get health(): readonly PartHealth[] {
    return this.#readers.map((reader) => reader.health)
  }

  async start(): Promise<void> {
    try {
      for (const reader of this.#readers) await reader.start()
    } catch (error) {
      await this.stop({ drainTimeoutMs: 0 })
      throw error
    }
  }

  wake(): void {
    for (const reader of this.#readers) reader.wake()
  }

  forget(reason: Error): void {
    for (const reader of this.#readers) reader.forget(reason)
  }

  pause(): void {
    this.#window.pause()
  }

  resume(): void {
    this.#window.resume()
  }

  stop({ drainTimeoutMs = 10_000 }: { readonly drainTimeoutMs?: number | undefined } = {}): Promise<void> {
    this.#stopping ??= Promise.all(this.#readers.map((reader) => reader.stop(drainTimeoutMs))).then(() => {
      this.#onStopped()
      this.#end(undefined)
    })
    return this.#stopping
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}

/** One reader for all topics and the service's own intake, and one per queue, which services that read it share. */
function readersOf(options: SubscribeOptions): Pick<ReaderOptions, 'name' | 'kind' | 'filter' | 'start' | 'sources'>[] {
  const { service, sources, start, mode } = options
  if (mode === 'broadcast') {
    return [
      {
        name: processReader(`${service}/${randomUUID()}`),
        kind: 'process',
        filter: sourceFilter(sources),
        sources: JSON.stringify(sources),
        // lives with this process: what was before it is not its own
        start: typeof start === 'object' ? start : 'latest',
      },
    ]
  }
  const intake: Source = { kind: 'service', name: service }
  const rest = sources.filter(({ kind }) => kind !== 'queue')
  const queues = new Set(sources.filter(({ kind }) => kind === 'queue').map(({ name }) => name))
  return [
    {
      name: serviceReader(service),
      kind: 'service',
      filter: sourceFilter([...rest, intake]),
      sources: JSON.stringify(rest),
      start,
    },
    ...[...queues].map((name) => ({
      name: queueReader(name),
      kind: 'queue' as const,
      filter: sourceFilter([{ kind: 'queue' as const, name }]),
      start,
    })),
  ]
}
