import { ConfigError, PublishError } from '../../errors.ts'
import type { PartHealth, SubscribeOptions, Topology } from '../../transport.ts'
import type { WireMessage } from '../../wire-message.ts'
import type { BrokerContext } from './broker-context.ts'
import { BrokerDeadLetters } from './dead-letters.ts'
import type { Entry } from './entry.ts'
import { ServiceLog } from './service-log.ts'

/**
 * A broker in memory that outlives the processes that use it: services with their unsettled messages, who is bound to
 * what, dead letters. Each client is one connection of one process; everything on it takes time and may fail.
 */
export class DurableBroker {
  readonly deadLetters: BrokerDeadLetters
  readonly context: BrokerContext
  readonly #services = new Map<string, ServiceLog>()
  readonly #replyAddresses = new Map<string, (reply: WireMessage) => void>()
  #addresses = 0

  constructor(context: BrokerContext) {
    this.context = context
    this.deadLetters = new BrokerDeadLetters((entry) => {
      const log = this.#services.get(entry.service)
      log?.store(entry.message)
      return log !== undefined
    })
  }

  /** Given up on: kept apart. */
  #bury(entry: Entry): void {
    this.deadLetters.add(entry, this.context.ports.clock.nowMs())
  }

  /** All that is not settled. */
  *unsettled(): Generator<Entry> {
    for (const { entries } of this.#services.values()) yield* entries
  }

  health(): readonly PartHealth[] {
    const part = { part: 'simulated', state: 'up', sinceMs: 0 } as const
    const services = [...this.#services.values()]
    return [part, ...services.map(({ service, entries }) => ({ ...part, part: service, lag: entries.size }))]
  }

  declare({ subscriptions }: Topology): void {
    for (const subscription of subscriptions) if (subscription.mode !== 'broadcast') this.service(subscription)
  }

  /** The log of a service, made when it is named first. */
  service(options: Pick<SubscribeOptions, 'service' | 'mode' | 'sources'>): ServiceLog {
    const known = this.#services.get(options.service)
    if (known !== undefined) {
      if (known.mode === options.mode) return known
      throw new ConfigError(`service "${options.service}" runs in another mode: give each instance the same`)
    }
    const log = new ServiceLog(options, this.context, (entry) => this.#bury(entry))
    this.#services.set(options.service, log)
    return log
  }

  /** A broadcast goes with the instance that reads it. */
  remove(service: string): void {
    const log = this.#services.get(service)
    this.#services.delete(service)
    for (const entry of [...(log?.entries ?? [])]) log!.close(entry, 'gone')
  }

  /** Stores a message for all who read it; the error is what its publisher is told. */
  route(message: WireMessage): PublishError | undefined {
    const { destination, mustRoute } = message
    const { kind, name } = destination
    const onReply = kind === 'reply' ? this.#replyAddresses.get(name) : undefined
    if (onReply !== undefined) {
      onReply(message)
      if (this.context.faults.happens('duplicate')) onReply(message)
      return undefined
    }
    const services = [...this.#services.values()]
    const readers =
      kind === 'service'
        ? services.filter(({ service }) => service === name)
        : services.filter((service) => service.reads(destination))
    if (readers.length === 0) {
      if (kind === 'topic' && mustRoute !== true) return undefined
      const scope = kind === 'reply' ? 'message' : 'destination'
      return new PublishError(`nobody reads ${kind} "${name}"`, { scope, retryable: scope === 'destination' })
    }
    for (const reader of kind === 'queue' ? readers.slice(0, 1) : readers) {
      reader.store(message)
      if (this.context.faults.happens('duplicate')) reader.store(message)
    }
    return undefined
  }

  openReplies(onReply: (reply: WireMessage) => void): string {
    const address = `reply-${++this.#addresses}`
    this.#replyAddresses.set(address, onReply)
    return address
  }

  closeReplies(address: string): void {
    this.#replyAddresses.delete(address)
  }
}
