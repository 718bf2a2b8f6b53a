import { ClosedError, ConfigError, ConnectionError, sleep } from '@waybill/core'
import type {
  CallOptions,
  Capabilities,
  Delivery,
  Parked,
  PartHealth,
  ReplyAddress,
  Settlement,
  SubscribeOptions,
  Topology,
  Transport,
  WireMessage,
} from '@waybill/core'
import { capabilitiesOf } from './capabilities.ts'
import { Link } from './connection.ts'
import { DeadLetters } from './dead-letters.ts'
import { resolveOptions } from './options.ts'
import type { AmqpOptions, ResolvedOptions } from './options.ts'
import { ConfirmPublisher } from './publisher.ts'
import { openReplies } from './replies.ts'
import { queueHealth } from './queue-health.ts'
import { AmqpSubscription } from './subscriber.ts'
import { createTopology } from './topology.ts'
import type { QueuePlan } from './queue-plan.ts'
import type { TopologyRoom } from './topology.ts'

/**
 * RabbitMQ 3.10 and later, over amqplib. Connects at first use, and by itself again whenever the connection is lost.
 * @example const bus = createBus({ transport: amqp({ url: 'amqp://localhost' }), source: '/rentals' })
 * @throws {ConfigError} naming the option, its value and its bound
 */
export function amqp(options: AmqpOptions): Transport {
  return new AmqpTransport(resolveOptions(options))
}

class AmqpTransport implements Transport {
  readonly name = 'amqp'
  readonly capabilities: Capabilities
  readonly parked: Parked
  readonly #options: ResolvedOptions
  readonly #topology: TopologyRoom
  readonly #links: { readonly publish: Link; readonly consume: Link; readonly replies: Link }
  readonly #publisher: ConfirmPublisher
  readonly #subscriptions = new Map<string, AmqpSubscription>()
  readonly #services = new Set<string>()
  readonly #replies = new Set<ReplyAddress>()
  #disposed: Promise<void> | undefined

  constructor(options: ResolvedOptions) {
    this.#options = options
    this.#topology = createTopology(options)
    const links = {
      publish: new Link('publish', options),
      consume: new Link('consume', options),
      replies: new Link('replies', options),
    }
    this.#links = links
    this.#publisher = new ConfirmPublisher(links.publish, options, this.#topology)
    this.parked = new DeadLetters(links.consume, this.#publisher, options, this.#topology, () => this.#services)
    this.capabilities = capabilitiesOf(options)
  }

  publish(messages: readonly WireMessage[], options?: CallOptions): readonly Promise<void>[] {
    return this.#publisher.publish(messages, options)
  }

  async subscribe(
    options: SubscribeOptions,
    deliver: (delivery: Delivery) => Promise<Settlement>,
  ): Promise<AmqpSubscription> {
    this.#checkOpen()
    const { service, mode } = options
    if (this.#subscriptions.has(service)) {
      throw new ConfigError(`service "${service}" is subscribed already: give all its sources in one call`)
    }
    const capabilities = Object.freeze({ ...this.capabilities, order: mode === 'ordered' ? 'key' : 'single' } as const)
    const rooms = {
      link: this.#links.consume,
      publisher: this.#publisher,
      options: this.#options,
      topology: this.#topology,
    }
    const subscription = new AmqpSubscription(rooms, options, capabilities, deliver)
    this.#subscriptions.set(service, subscription)
    void subscription.ended.then(() => {
      if (this.#subscriptions.get(service) === subscription) this.#subscriptions.delete(service)
    })
    await subscription.start()
    this.#remember(service, this.#topology.plan(options))
    return subscription
  }

  /**
   * Declares exchanges, and the queues of the services given. A queue that no service here reads is left alone: its
   * reader knows its arguments, and until then publishing to it is refused as destination.
   */
  async declare(topology: Topology, { signal, timeoutMs }: CallOptions = {}): Promise<void> {
    this.#checkOpen()
    const session = await this.#links.publish.readyWithin(timeoutMs ?? this.#options.connectTimeoutMs, signal)
    for (const { kind, name } of topology.destinations) {
      if (kind === 'topic') await this.#topology.declareExchange(session, name)
    }
    for (const { service, sources, mode } of topology.subscriptions) {
      const plans = this.#topology.plan({ service, sources, mode })
      for (const plan of plans) await this.#topology.declarePlan(session, mode, plan)
      this.#remember(service, plans)
    }
  }

  async openReplies(onReply: (reply: WireMessage) => void, onLost: (reason: Error) => void): Promise<ReplyAddress> {
    this.#checkOpen()
    const address = await openReplies(this.#links.replies, this.#options, onReply, onLost)
    this.#replies.add(address)
    return address
  }

  async health({ signal, timeoutMs = 2_000 }: CallOptions = {}): Promise<readonly PartHealth[]> {
    const { publish, consume, replies } = this.#links
    if (this.#disposed) {
      const sinceMs = this.#options.ports.clock.nowMs()
      return [{ part: 'publish', state: 'down', sinceMs, reason: 'the transport is stopped' }]
    }
    if (!publish.used && !consume.used && !replies.used) publish.start()
    const used = [publish, consume, replies].filter((link) => link.used)
    const parts = await Promise.all(used.map((link) => this.#probe(link, timeoutMs, signal)))
    const consuming = parts.find(({ part, state }) => part === consume.purpose && state !== 'down')
    const { session } = consume
    if (consuming === undefined || session === undefined) return parts
    const { ports } = this.#options
    const services = [...this.#subscriptions.values()].map((subscription) =>
      queueHealth(subscription, session, consuming.sinceMs, timeoutMs, ports),
    )
    return [...parts, ...(await Promise.all(services))]
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#dispose()
    return this.#disposed
  }

  async #dispose(): Promise<void> {
    await Promise.all([...this.#subscriptions.values()].map((subscription) => subscription.stop()))
    await this.#publisher.stop(this.#options.confirmTimeoutMs)
    await Promise.all([...this.#replies].map((address) => address[Symbol.asyncDispose]()))
    await Promise.all(Object.values(this.#links).map((link) => link.close(2_000)))
  }

  /** Whose dead letters there may be: the service's, and those of each queue that it shares. */
  #remember(service: string, plans: readonly QueuePlan[]): void {
    this.#services.add(service)
    for (const { owner } of plans) this.#services.add(owner)
  }

  async #probe(link: Link, timeoutMs: number, signal?: AbortSignal): Promise<PartHealth> {
    const late = new AbortController()
    const limit = signal === undefined ? late.signal : AbortSignal.any([late.signal, signal])
    const lateness = sleep(this.#options.ports.timers, timeoutMs, limit).then(() => {
      throw new ConnectionError(`no answer within ${timeoutMs} ms`)
    })
    try {
      await Promise.race([this.#ask(link, limit), lateness])
    } catch (error) {
      const health = link.health()
      if (health.state !== 'up') return health
      return { ...health, state: 'down', reason: (error as Error).message }
    } finally {
      lateness.catch(() => {})
      late.abort(new ConnectionError('the probe is over'))
    }
    const health = link.health()
    if (health.state !== 'up') return health
    if (link === this.#links.publish) return { ...health, ...degraded(this.#publisher.problem) }
    const reason = link === this.#links.consume ? this.#problem() : undefined
    return { ...health, ...degraded(reason === undefined ? undefined : { reason }) }
  }

  async #ask(link: Link, limit: AbortSignal): Promise<void> {
    const session = await link.ready(limit, false)
    const channel = await session.connection.createChannel()
    channel.on('error', () => {})
    await channel.close()
  }

  #problem(): string | undefined {
    for (const { problem } of this.#subscriptions.values()) if (problem !== undefined) return problem
    return undefined
  }

  #checkOpen(): void {
    if (this.#disposed) throw new ClosedError('the RabbitMQ transport is stopped: create a new one')
  }
}

function degraded(problem: { readonly reason: string } | undefined): Partial<PartHealth> {
  return problem === undefined ? {} : { state: 'degraded', ...problem }
}
