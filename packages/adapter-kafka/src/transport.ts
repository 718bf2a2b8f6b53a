import {
  ClosedError,
  ConfigError,
  uuidv7,
  type CallOptions,
  type Capabilities,
  type Delivery,
  type Parked,
  type PartHealth,
  type ReplyAddress,
  type Settlement,
  type SubscribeOptions,
  type Subscription,
  type Topology as WantedTopology,
  type Transport,
  type WireMessage,
} from '@waybill/core'
import { Connection } from './connection.ts'
import { deadLetterNeed } from './dead-letters.ts'
import { rootOf } from './fault.ts'
import { Health } from './health.ts'
import { resolveOptions, type KafkaOptions, type ResolvedOptions } from './options.ts'
import { ParkedLetters } from './parked-letters.ts'
import { KafkaPublisher } from './publisher.ts'
import { openReplies, removeGroup } from './replies.ts'
import { Subscriber, type TopicSource } from './subscriber.ts'
import { intakeTopic, topicOf } from './topic-names.ts'
import { Topology, type TopicNeed } from './topology.ts'

const CAPABILITIES: Capabilities = Object.freeze({
  // acknowledged by all replicas in sync; Kafka itself leaves the disk to replication
  confirm: 'disk',
  orderedPublish: true,
  persistent: true,
  order: 'key',
  services: true,
  broadcast: true,
  replay: true,
  deadLetter: true,
  ackBefore: true,
  nullBody: true,
  binaryHeaders: true,
  // a heartbeat keeps the partition for as long as it takes
  maxHoldMs: 86_400_000,
})

/** How long disposing waits for what is handed over. */
const CLOSE_MS = 5_000

/**
 * Kafka as a transport, through kafkajs.
 * @example createBus({ transport: kafka({ brokers: ['localhost:9092'] }), source: '/rentals' })
 * @throws {ConfigError} for an option out of its bounds
 */
export function kafka(options: KafkaOptions): Transport {
  return new KafkaTransport(resolveOptions(options))
}

class KafkaTransport implements Transport {
  readonly name = 'kafka'
  readonly capabilities: Capabilities
  readonly parked: Parked
  readonly #options: ResolvedOptions
  readonly #connection: Connection
  readonly #topology: Topology
  readonly #publisher: KafkaPublisher
  readonly #subscribers = new Set<Subscriber>()
  readonly #services = new Set<string>()
  readonly #brokers = new Health('kafka brokers')
  #closing: Promise<void> | undefined

  constructor(options: ResolvedOptions) {
    this.#options = options
    this.capabilities = Object.freeze({ ...CAPABILITIES, maxBodyBytes: options.maxBodyBytes })
    this.#connection = new Connection(options)
    this.#topology = new Topology(this.#connection, options)
    this.#publisher = new KafkaPublisher(this.#connection, this.#topology, options)
    this.parked = new ParkedLetters(this.#connection, this.#publisher)
  }

  publish(messages: readonly WireMessage[], options?: CallOptions): readonly Promise<void>[] {
    return this.#publisher.publish(messages, options)
  }

  async declare({ destinations, subscriptions }: WantedTopology): Promise<void> {
    if (this.#closing) throw new ClosedError('declare: the Kafka transport is closed')
    const needs: TopicNeed[] = destinations
      .filter(({ kind }) => kind !== 'reply')
      .map((destination) =>
        destination.kind === 'service'
          ? { topic: topicOf(destination), partitions: 1 }
          : { topic: topicOf(destination) },
      )
    for (const subscription of subscriptions) needs.push(...needsOf(subscription))
    await this.#topology.ensureAll(needs)
  }

  async subscribe(
    options: SubscribeOptions,
    deliver: (delivery: Delivery) => Promise<Settlement>,
  ): Promise<Subscription> {
    const { service, mode } = options
    if (this.#closing) throw new ClosedError(`subscription of service "${service}": the Kafka transport is closed`)
    if (this.#services.has(service)) {
      throw new ConfigError(`service "${service}" is subscribed already: give all of its sources in one subscription`)
    }
    this.#services.add(service)
    const release = () => void this.#services.delete(service)
    try {
      const needs = needsOf(options)
      await this.#topology.ensureAll(needs)
      const sources = topicSources(options.sources)
      if (mode !== 'broadcast') {
        const topic = intakeTopic(service)
        sources.set(topic, sourceOf(topic, { kind: 'service', name: service }))
      }
      const groupId = mode === 'broadcast' ? `${service}.${uuidv7(Date.now())}` : service
      return await this.#open({ options, groupId, sources, deliver, ephemeral: mode === 'broadcast', release })
    } catch (error) {
      release()
      throw error
    }
  }

  openReplies(onReply: (reply: WireMessage) => void): Promise<ReplyAddress> {
    if (this.#closing) return Promise.reject(new ClosedError('reply address: the Kafka transport is closed'))
    const open = (name: string, handle: (reply: WireMessage) => void) => {
      const source = { kind: 'reply', name } as const
      const topic = topicOf(source)
      return this.#open({
        groupId: topic,
        sources: new Map([[topic, sourceOf(topic, source)]]),
        ephemeral: false,
        release: () => {},
        options: {
          service: topic,
          sources: [source],
          mode: 'broadcast',
          ackBefore: false,
          maxOpen: 1_000,
          maxOpenBytes: 8 * 1024 * 1024,
          start: 'earliest',
        },
        deliver: ({ message }) => {
          handle(message)
          return Promise.resolve({ outcome: 'ack' })
        },
      })
    }
    return openReplies({ connection: this.#connection, topology: this.#topology, open }, onReply)
  }

  async health({ timeoutMs = 2_000, signal }: CallOptions = {}): Promise<readonly PartHealth[]> {
    try {
      await this.#connection.admin('probe of the brokers', (admin) => admin.describeCluster(), { timeoutMs, signal })
      this.#brokers.set('up')
    } catch (error) {
      this.#brokers.set('down', rootOf(error).message || String(error))
    }
    return [this.#brokers, this.#publisher.health, ...[...this.#subscribers].map(({ health }) => health)].map((part) =>
      part.report(),
    )
  }

  [Symbol.asyncDispose](): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#subscribers].map((subscriber) => subscriber.stop({ drainTimeoutMs: CLOSE_MS })))
    await this.#publisher.close(CLOSE_MS)
    await this.#connection.close()
  }

  async #open(setup: {
    options: SubscribeOptions
    groupId: string
    sources: ReadonlyMap<string, TopicSource>
    deliver: (delivery: Delivery) => Promise<Settlement>
    ephemeral: boolean
    release: () => void
  }): Promise<Subscriber> {
    const { options, groupId, sources, deliver, ephemeral, release } = setup
    const subscriber = new Subscriber({
      connection: this.#connection,
      publisher: this.#publisher,
      options: this.#options,
      groupId,
      sources,
      subscribe: options,
      capabilities: this.capabilities,
      deliver,
      onStopped: async () => {
        this.#subscribers.delete(subscriber)
        release()
        if (ephemeral) await removeGroup(this.#connection, groupId)
      },
    })
    this.#subscribers.add(subscriber)
    await subscriber.start()
    return subscriber
  }
}

/** A topic and a queue of one name are one Kafka topic, read once. */
function topicSources(sources: SubscribeOptions['sources']): Map<string, TopicSource> {
  const found = new Map<string, TopicSource>()
  for (const source of sources) {
    const topic = topicOf(source)
    const other = found.get(topic)
    if (other === undefined) found.set(topic, sourceOf(topic, source))
    else {
      const subjects = other.subjects && source.subjects ? [...other.subjects, ...source.subjects] : undefined
      found.set(topic, { ...other, subjects })
    }
  }
  return found
}

function sourceOf(topic: string, { kind, name, subjects }: SubscribeOptions['sources'][number]): TopicSource {
  return { topic, destination: Object.freeze({ kind, name }), subjects }
}

function needsOf({ service, sources, mode }: Pick<SubscribeOptions, 'service' | 'sources' | 'mode'>): TopicNeed[] {
  const needs: TopicNeed[] = sources.map((source) => ({
    topic: topicOf(source),
    ...(source.kind === 'service' && { partitions: 1 }),
  }))
  // what only this instance reads gets a topic for dead letters when it has one
  if (mode !== 'broadcast') {
    needs.push({ topic: topicOf({ kind: 'service', name: service }), partitions: 1 }, deadLetterNeed(service))
  }
  return needs
}
