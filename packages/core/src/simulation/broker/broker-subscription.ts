import type { Capabilities } from '../../capabilities.ts'
import type { Delivery, Settlement, SubscribeOptions, Subscription } from '../../transport.ts'
import type { BrokerContext } from './broker-context.ts'
import type { Channel, ChannelReader } from './channel.ts'
import { Wire } from './wire.ts'

/** The client that a subscription belongs to. */
export interface SubscribingClient {
  readonly name: string
  /** `false` once its process died. */
  readonly alive: boolean
  readonly connected: boolean
  forget(subscription: BrokerSubscription): void
}

/** The log that a subscription reads. */
export interface ReadLog {
  readonly service: string
  join(subscription: BrokerSubscription): void
  leave(subscription: BrokerSubscription): void
  wake(): void
}

const DRAIN_MS = 10_000

/** One instance of a service. */
export class BrokerSubscription implements Subscription, ChannelReader {
  readonly capabilities: Capabilities
  readonly ended: Promise<Error | undefined>
  readonly options: SubscribeOptions
  readonly client: SubscribingClient
  readonly log: ReadLog
  readonly deliver: (delivery: Delivery) => Promise<Settlement>
  readonly channels = new Set<Channel>()
  readonly toClient: Wire
  pause?: () => void
  resume?: () => void
  open = 0
  readonly #context: BrokerContext
  #paused = false
  #stopping: Promise<void> | undefined
  #look = () => {}
  #end!: (error: Error | undefined) => void

  constructor(
    log: ReadLog,
    options: SubscribeOptions,
    deliver: (delivery: Delivery) => Promise<Settlement>,
    client: SubscribingClient,
    context: BrokerContext,
  ) {
    this.log = log
    this.options = options
    this.deliver = deliver
    this.client = client
    this.#context = context
    this.capabilities = context.profile.capabilities
    this.toClient = new Wire(context.ports.timers, () => context.faults.hopMs())
    this.ended = new Promise((resolve) => (this.#end = resolve))
    if (context.profile.pausable) {
      this.pause = () => void (this.#paused = true)
      this.resume = () => {
        this.#paused = false
        this.log.wake()
      }
    }
  }

  get stopping(): boolean {
    return this.#stopping !== undefined
  }

  get takesChannels(): boolean {
    return this.client.connected && this.#stopping === undefined
  }

  get hasRoom(): boolean {
    return this.takesChannels && !this.#paused && this.open < this.options.maxOpen
  }

  stop({ drainTimeoutMs = DRAIN_MS }: { readonly drainTimeoutMs?: number | undefined } = {}): Promise<void> {
    return (this.#stopping ??= this.#stop(drainTimeoutMs))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  onSettled(): void {
    this.#look()
  }

  channelClosed(): void {
    this.#look()
  }

  async #stop(drainTimeoutMs: number): Promise<void> {
    for (const channel of this.channels) channel.stopReading()
    await this.#until(() => [...this.channels].every(({ delivered }) => delivered === 0), drainTimeoutMs)
    const channels = [...this.channels]
    for (const channel of channels) channel.cutOff()
    for (const channel of channels) channel.tellClose()
    await this.#until(() => channels.every(({ closed }) => closed), DRAIN_MS)
    for (const channel of channels) channel.close()
    this.log.leave(this)
    this.client.forget(this)
    this.#end(undefined)
  }

  #until(condition: () => boolean, timeoutMs: number): Promise<void> {
    if (condition()) return Promise.resolve()
    return new Promise((resolve) => {
      const done = () => {
        cancel()
        this.#look = () => {}
        resolve()
      }
      const cancel = this.#context.ports.timers.schedule(done, timeoutMs)
      this.#look = () => {
        if (condition()) done()
      }
    })
  }
}
