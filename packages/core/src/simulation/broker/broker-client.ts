import { ClosedError, ConnectionError } from '../../errors.ts'
import type { Parked } from '../../parked.ts'
import type {
  Delivery,
  PartHealth,
  ReplyAddress,
  Settlement,
  SubscribeOptions,
  Subscription,
  Topology,
  Transport,
} from '../../transport.ts'
import type { CallOptions, WireMessage } from '../../wire-message.ts'
import { BrokerSubscription, type SubscribingClient } from './broker-subscription.ts'
import type { DurableBroker } from './durable-broker.ts'
import { Flights } from './flights.ts'

interface OpenReplies {
  readonly address: string
  readonly onLost: (reason: Error) => void
}

/** One process's connection to the broker, and the adapter on top of it: it heals by itself, and dies with its process. */
export class BrokerClient implements Transport, SubscribingClient {
  readonly name: string
  readonly capabilities: Transport['capabilities']
  readonly parked?: Parked
  openReplies?: NonNullable<Transport['openReplies']>
  alive = true
  connected = true
  readonly #broker: DurableBroker
  readonly #flights: Flights
  readonly #subscriptions = new Set<BrokerSubscription>()
  readonly #replies = new Set<OpenReplies>()
  #onConnected: (() => void)[] = []
  #closing: Promise<void> | undefined

  constructor(name: string, broker: DurableBroker) {
    const { capabilities, replyAddresses } = broker.context.profile
    this.name = name
    this.capabilities = capabilities
    this.#broker = broker
    this.#flights = new Flights(broker, this)
    if (capabilities.deadLetter === true) this.parked = broker.deadLetters
    if (replyAddresses) this.openReplies = (onReply, onLost) => this.#openReplies(onReply, onLost)
  }

  publish(messages: readonly WireMessage[], options: CallOptions = {}): readonly Promise<void>[] {
    return messages.map((message) => {
      if (this.#closing !== undefined) return Promise.reject(closed())
      if (this.#broker.context.faults.happens('disconnect')) this.#hop(() => this.disconnect())
      return this.#flights.take(message, options)
    })
  }

  async declare(topology: Topology): Promise<void> {
    await this.#connected()
    this.#broker.declare(topology)
  }

  async subscribe(
    options: SubscribeOptions,
    deliver: (delivery: Delivery) => Promise<Settlement>,
  ): Promise<Subscription> {
    await this.#connected()
    const log = this.#broker.service(options)
    const subscription = new BrokerSubscription(log, options, deliver, this, this.#broker.context)
    this.#subscriptions.add(subscription)
    log.join(subscription)
    await new Promise<void>((resolve) => this.#hop(resolve))
    return subscription
  }

  health(): Promise<readonly PartHealth[]> {
    if (this.#closing === undefined) return Promise.resolve(this.#broker.health())
    return Promise.resolve([{ part: 'simulated', state: 'down', sinceMs: 0, reason: closed().message }])
  }

  [Symbol.asyncDispose](): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  forget(subscription: BrokerSubscription): void {
    this.#subscriptions.delete(subscription)
    if (subscription.options.mode === 'broadcast') this.#broker.remove(subscription.log.service)
  }

  /** The connection breaks; a while later there is another one. */
  disconnect(): void {
    if (!this.connected || !this.alive || this.#closing !== undefined) return
    const { faults, observer } = this.#broker.context
    observer.event(`${this.name} disconnected`)
    this.#breakOff()
    for (const { channels } of this.#subscriptions) {
      for (const channel of [...channels]) {
        if (faults.chance.yes(0.5)) channel.stopReading()
        channel.cutOff()
      }
    }
    this.#flights.failAll(new ConnectionError('the connection broke before the answer came'))
    for (const { address, onLost } of [...this.#replies]) {
      this.#broker.closeReplies(address)
      onLost(new ConnectionError('the reply queue went with its connection'))
    }
    this.#replies.clear()
    this.#broker.context.ports.timers.schedule(() => this.#reconnect(), faults.chance.between(10, 3_000))
  }

  /** The process is gone, and tells nobody; the broker finds out. */
  kill(): void {
    this.alive = false
    this.#breakOff()
    for (const { address } of this.#replies) this.#broker.closeReplies(address)
    const subscriptions = [...this.#subscriptions]
    this.#subscriptions.clear()
    for (const subscription of subscriptions) {
      subscription.log.leave(subscription)
      if (subscription.options.mode === 'broadcast') this.#broker.remove(subscription.log.service)
    }
  }

  #breakOff(): void {
    this.connected = false
    for (const subscription of this.#subscriptions) {
      const channels = [...subscription.channels]
      subscription.toClient.cut()
      for (const channel of channels) channel.cut()
      this.#hop(() => {
        for (const channel of channels) channel.close()
      })
    }
  }

  #reconnect(): void {
    if (!this.alive) return
    this.#broker.context.observer.event(`${this.name} connected`)
    this.connected = true
    for (const subscription of this.#subscriptions) subscription.log.join(subscription)
    for (const resume of this.#onConnected.splice(0)) resume()
  }

  async #connected(): Promise<void> {
    if (this.#closing !== undefined) throw closed()
    await new Promise<void>((resolve) => this.#hop(resolve))
    if (!this.connected) await new Promise<void>((resolve) => this.#onConnected.push(resolve))
    if (this.#closing !== undefined) throw closed()
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.stop()))
    this.#flights.failAll(closed())
    for (const { address } of this.#replies) this.#broker.closeReplies(address)
    this.#replies.clear()
    for (const resume of this.#onConnected.splice(0)) resume()
  }

  async #openReplies(onReply: (reply: WireMessage) => void, onLost: (reason: Error) => void): Promise<ReplyAddress> {
    await this.#connected()
    const address = this.#broker.openReplies((reply) => this.#hop(() => this.#replies.has(open) && onReply(reply)))
    const open: OpenReplies = { address, onLost }
    this.#replies.add(open)
    return {
      address,
      [Symbol.asyncDispose]: async () => {
        this.#replies.delete(open)
        this.#broker.closeReplies(address)
      },
    }
  }

  #hop(action: () => void): void {
    const { ports, faults } = this.#broker.context
    ports.timers.schedule(action, faults.hopMs())
  }
}

function closed(): ClosedError {
  return new ClosedError('this client is closed: make another one')
}
