import { UnsupportedError, type Topology, type Transport } from '@waybill/core'
import { capabilitiesOf } from './capabilities.ts'
import type { AmqpChannel } from './client.ts'
import type { Session } from './connection.ts'
import { resolveOptions, type AmqpOptions } from './options.ts'
import { createTopology } from './topology.ts'

/** Of `amqp`'s options those that decide what stands on the broker. */
export interface RecordOptions extends Pick<
  AmqpOptions,
  'queues' | 'shards' | 'bindings' | 'queueArguments' | 'retryStepsMs' | 'routes'
> {
  /** @default '/' */
  readonly vhost?: string | undefined
  /** RabbitMQ's major version: dead letter queues differ. @default 4 */
  readonly major?: 3 | 4 | undefined
}

/** What `rabbitmqctl import_definitions` reads. @see https://www.rabbitmq.com/docs/definitions */
export interface RabbitMqDefinitions {
  readonly exchanges: readonly {
    readonly name: string
    readonly vhost: string
    readonly type: string
    readonly durable: true
    readonly auto_delete: false
    readonly internal: false
    readonly arguments: Readonly<Record<string, unknown>>
  }[]
  readonly queues: readonly {
    readonly name: string
    readonly vhost: string
    readonly durable: true
    readonly auto_delete: false
    readonly arguments: Readonly<Record<string, unknown>>
  }[]
  readonly bindings: readonly {
    readonly source: string
    readonly vhost: string
    readonly destination: string
    readonly destination_type: 'queue' | 'exchange'
    readonly routing_key: string
    readonly arguments: Readonly<Record<string, unknown>>
  }[]
}

/** Stands in for `amqp` where nothing is sent: it remembers what would be declared. */
export interface DefinitionsRecorder {
  /** For a bus whose services subscribe as they do in earnest; publishing is refused. */
  readonly transport: Transport
  /** All that was asked for so far, with the queues of the retry steps; without what belongs to one connection. */
  definitions(): RabbitMqDefinitions
}

/**
 * For those who let operators declare: subscribe with this transport, give the definitions to the broker, and run with
 * `topology: 'check'` or `'none'`. They come from the very code that declares, so they are what it would make. Readers
 * of broadcasts declare queues of their own in any case, and are left out.
 * @example
 * const recorder = recordDefinitions({ shards: { billing: 3 } })
 * await startBilling(createBus({ transport: recorder.transport, source: '/billing' }))
 * writeFileSync('definitions.json', JSON.stringify(recorder.definitions()))
 * @throws {ConfigError} as `amqp` does
 */
export function recordDefinitions({ vhost = '/', major = 4, ...given }: RecordOptions = {}): DefinitionsRecorder {
  const options = resolveOptions({ ...given, url: 'amqp://recorder' })
  const topology = createTopology(options)
  const foreign = Object.values(options.bindings).flatMap((own) => own.map(({ exchange }) => exchange))
  const record = new Recording(vhost, new Set(foreign))
  const session: Session = {
    connection: {
      createChannel: () => Promise.resolve(record.channel()),
      createConfirmChannel: () => Promise.reject(onlyRecords()),
      on: () => {},
      removeListener: () => {},
      close: () => Promise.resolve(),
    },
    lost: new AbortController().signal,
    brokerMajor: major,
  }
  const steps = Promise.all(options.retryStepsMs.map((stepMs) => topology.declareWait(session, stepMs)))
  const declare = async ({ destinations, subscriptions }: Topology) => {
    await steps
    for (const { kind, name } of destinations) if (kind === 'topic') await topology.declareExchange(session, name)
    for (const { service, sources, mode } of subscriptions) {
      for (const plan of topology.plan({ service, sources, mode })) {
        if (mode !== 'broadcast' || plan.shared) await topology.declarePlan(session, mode, plan)
      }
    }
  }
  const capabilities = capabilitiesOf(options)
  return {
    transport: {
      name: 'amqp',
      capabilities,
      publish: (messages) => messages.map(() => Promise.reject(onlyRecords())),
      async subscribe({ service, sources, mode }) {
        await declare({ destinations: [], subscriptions: [{ service, sources, mode }] })
        return idle(capabilities)
      },
      health: () => Promise.resolve([]),
      declare,
      [Symbol.asyncDispose]: () => Promise.resolve(),
    },
    definitions: () => record.definitions(),
  }
}

function onlyRecords(): UnsupportedError {
  return new UnsupportedError('this transport records definitions: nothing is sent, use amqp()')
}

function idle(capabilities: Transport['capabilities']): Awaited<ReturnType<Transport['subscribe']>> {
  let end: () => void = () => {}
  const ended = new Promise<undefined>((resolve) => (end = () => resolve(undefined)))
  const stop = () => {
    end()
    return Promise.resolve()
  }
  return { capabilities, ended, pause: () => {}, resume: () => {}, stop, [Symbol.asyncDispose]: stop }
}

type Arguments = Readonly<Record<string, unknown>>

/** What is declared through its channels, each thing once; nothing stands yet. */
class Recording {
  readonly #vhost: string
  readonly #foreign: ReadonlySet<string>
  readonly #exchanges = new Map<string, RabbitMqDefinitions['exchanges'][number]>()
  readonly #queues = new Map<string, RabbitMqDefinitions['queues'][number]>()
  readonly #bindings = new Map<string, RabbitMqDefinitions['bindings'][number]>()

  /** @param foreign exchanges that others declare */
  constructor(vhost: string, foreign: ReadonlySet<string>) {
    this.#vhost = vhost
    this.#foreign = foreign
  }

  definitions(): RabbitMqDefinitions {
    return {
      exchanges: [...this.#exchanges.values()],
      queues: [...this.#queues.values()],
      bindings: [...this.#bindings.values()],
    }
  }

  channel(): AmqpChannel {
    const vhost = this.#vhost
    const foreign = this.#foreign
    const standing = { durable: true, auto_delete: false } as const
    const bind =
      (destination_type: 'queue' | 'exchange') =>
      (destination: string, source: string, key: string, given: object = {}) => {
        const binding = { source, vhost, destination, destination_type, routing_key: key, arguments: { ...given } }
        this.#bindings.set(JSON.stringify([source, destination, destination_type, key, given]), binding)
        return Promise.resolve()
      }
    const missing = () => Promise.reject(Object.assign(new Error('NOT_FOUND'), { code: 404 }))
    const refuse = () => Promise.reject(onlyRecords())
    return {
      on: () => {},
      close: () => Promise.resolve(),
      assertExchange: (name, type, { alternateExchange }: { alternateExchange?: string } = {}) => {
        const given = alternateExchange === undefined ? {} : { 'alternate-exchange': alternateExchange }
        this.#exchanges.set(name, { name, vhost, type, ...standing, internal: false, arguments: given })
        return Promise.resolve()
      },
      assertQueue: (name, options: { arguments?: Arguments } = {}) => {
        this.#queues.set(name, { name, vhost, ...standing, arguments: options.arguments ?? {} })
        return Promise.resolve({ queue: name, messageCount: 0 })
      },
      bindQueue: bind('queue'),
      bindExchange: bind('exchange'),
      // a foreign one stands, as far as can be told; those of shards are asked for before they are made
      checkExchange: (name) => (foreign.has(name) ? Promise.resolve() : missing()),
      checkQueue: missing,
      unbindQueue: refuse,
      unbindExchange: refuse,
      deleteQueue: refuse,
      deleteExchange: refuse,
      prefetch: refuse,
      consume: refuse,
      cancel: refuse,
      get: refuse,
      ack: () => {},
      nack: () => {},
    }
  }
}
