import type { Clock } from '../ports.ts'
import type { Delivery, Settlement, Transport } from '../transport.ts'
import type { WireMessage } from '../wire-message.ts'

/** One message that was published, or one delivery that was settled. */
export interface Seen {
  readonly message: WireMessage
}

interface Settled extends Seen {
  readonly service: string
  readonly outcome: Settlement['outcome'] | 'expired'
}

const LISTED = 20

/** Writes down what goes through a transport, and tells those who wait. Names only: a test's report must not leak data. */
export class HarnessRecord {
  readonly transport: Transport
  readonly published: Seen[] = []
  readonly #inner: Transport
  readonly #clock: Clock
  readonly #settled: Settled[] = []
  readonly #open = new Map<Delivery, string>()
  readonly #waiting = new Set<() => void>()
  #publishing = 0
  #refused = 0

  constructor(inner: Transport, clock: Clock) {
    this.#inner = inner
    this.#clock = clock
    this.transport = this.#around(inner)
  }

  /** Those that the service acknowledged; one for each delivery. */
  handledBy(service: string): readonly Settled[] {
    // at-most-once routes are read under a name of their own
    return this.#settled.filter((seen) => seen.outcome === 'ack' && [service, `${service}.once`].includes(seen.service))
  }

  /** Messages on their way: being published, waiting, or being handled. */
  async openCount(): Promise<number> {
    return this.#publishing + this.#open.size + (await this.#waitingInCarrier())
  }

  /** Calls `look` after each event; the returned function ends it. */
  watch(look: () => void): () => void {
    this.#waiting.add(look)
    return () => void this.#waiting.delete(look)
  }

  describePublished(): string {
    const refused = this.#refused === 0 ? '' : `; ${this.#refused} were refused`
    const failed = this.#settled.filter(({ outcome }) => outcome !== 'ack')
    const ends = failed.length === 0 ? '' : `; not handled: ${list(failed.map(nameOf))}`
    return `published: ${list(this.published.map(({ message }) => `"${message.type}"`))}${refused}${ends}`
  }

  describeHandled(service: string): string {
    const handled = this.handledBy(service).map(({ message }) => `"${message.type}"`)
    return `handled by "${service}": ${list(handled)}; ${this.describePublished()}`
  }

  async describeOpen(): Promise<string> {
    const open = list([...this.#open].map(([{ message }, service]) => `"${message.type}" in "${service}"`))
    return `${this.#publishing} being published, ${await this.#waitingInCarrier()} not settled; being handled: ${open}`
  }

  async #waitingInCarrier(): Promise<number> {
    return (await this.#inner.health()).reduce((sum, { lag = 0 }) => sum + lag, 0)
  }

  #around(inner: Transport): Transport {
    return {
      name: inner.name,
      capabilities: inner.capabilities,
      parked: inner.parked,
      publish: (messages, options) => {
        const promises = inner.publish(messages, options)
        messages.forEach((message, index) => this.#watchPublish(message, promises[index]!))
        return promises
      },
      subscribe: (options, deliver) =>
        inner.subscribe(options, async (delivery) => {
          const { service } = options
          const { message } = delivery
          this.#open.set(delivery, service)
          // the core acknowledges what is past its time without handling it
          const expired = message.expiresAtMs !== undefined && message.expiresAtMs <= this.#clock.nowMs()
          const settlement = await deliver(delivery)
          const { outcome } = settlement
          this.#open.delete(delivery)
          this.#settled.push({ service, message, outcome: expired && outcome === 'ack' ? 'expired' : outcome })
          this.#tell()
          return settlement
        }),
      health: (options) => inner.health(options),
      declare: (topology, options) => inner.declare!(topology, options),
      openReplies: (onReply, onLost) => inner.openReplies!(onReply, onLost),
      [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
    }
  }

  #watchPublish(message: WireMessage, promise: Promise<void>): void {
    this.#publishing++
    promise.then(
      () => {
        this.#publishing--
        this.published.push({ message })
        this.#tell()
      },
      () => {
        this.#publishing--
        this.#refused++
        this.#tell()
      },
    )
  }

  #tell(): void {
    for (const look of this.#waiting) look()
  }
}

function nameOf({ message, service, outcome }: Settled): string {
  return `"${message.type}" in "${service}" (${outcome})`
}

/** Each different name with how often it came, in order of the first time. */
function list(names: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  if (counts.size === 0) return 'nothing'
  const told = [...counts].slice(0, LISTED).map(([name, count]) => (count === 1 ? name : `${name} ${count} times`))
  return told.join(', ') + (counts.size > LISTED ? `, and ${counts.size - LISTED} more` : '')
}
