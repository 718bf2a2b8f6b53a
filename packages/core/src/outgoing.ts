import type { Refusing } from './bus-health.ts'
import { ClosedError, MessagingError, OverloadError, PublishError, publishFault, UnsupportedError } from './errors.ts'
import { keyedPublisher, publishOne } from './keyed-publisher.ts'
import type { Observer } from './observer.ts'
import type { Clock } from './ports.ts'
import { carrierName, carriersOf } from './route.ts'
import type { Publisher, Transport } from './transport.ts'
import { unlessAborted } from './unless-aborted.ts'
import type { CallOptions, Destination, WireMessage } from './wire-message.ts'

/** One carrier of the bus, with the order of keys kept. */
export interface Carrier {
  readonly name: string
  readonly transport: Transport
  readonly publisher: Publisher
  /** Destinations declared, or being declared; each definition has one object for its own. */
  readonly declared: WeakMap<Destination, Promise<void> | true>
}

/** All that leaves the bus: picks the carrier, declares destinations before their first use, bounds what is unsettled. */
export class Outgoing {
  readonly carriers: ReadonlyMap<string, Carrier>
  readonly #names: readonly string[]
  readonly #maxPending: number
  readonly #observer: Observer
  readonly #clock: Clock
  #fullSinceMs: number | undefined
  #pending = 0
  #closed = false

  constructor(transport: Transport, maxPending: number, observer: Observer, clock: Clock) {
    const carriers = [...carriersOf(transport)].map(([name, carrier]): [string, Carrier] => [
      name,
      { name, transport: carrier, publisher: keyedPublisher(carrier), declared: new WeakMap() },
    ])
    this.carriers = new Map(carriers)
    this.#names = [...this.carriers.keys()]
    this.#maxPending = maxPending
    this.#observer = observer
    this.#clock = clock
  }

  get pending(): number {
    return this.#pending
  }

  /** Since when publishes are refused, for want of confirms. */
  get refusing(): Refusing | undefined {
    if (this.#fullSinceMs === undefined || this.#pending < this.#maxPending) return undefined
    const reason = `refuses publishes: ${this.#pending} wait for their confirm, the bound of maxPendingPublishes`
    return { sinceMs: this.#fullSinceMs, reason }
  }

  close(): void {
    this.#closed = true
  }

  /** @throws {ConfigError} for a destination that names none of several carriers, or an unknown one */
  carrierOf(destination: Destination): Carrier {
    // a bus without a route has one carrier, whatever name a definition gives it
    const only = this.carriers.get('')
    return only ?? this.carriers.get(carrierName(this.#names, destination))!
  }

  /** Resolves with the message's id once the carrier has it. */
  publish(message: WireMessage, options: CallOptions): Promise<string> {
    return this.#observer.watchesPublishes ? this.#watched(message, options) : this.#publish(message, options)
  }

  async #watched(message: WireMessage, options: CallOptions): Promise<string> {
    const { transport } = this.carrierOf(message.destination)
    await this.#observer.publish(message, transport.name, (sent) => this.#publish(sent, options))
    return message.id
  }

  // no async function: each message would pay for one, and for an await in it
  #publish(message: WireMessage, options: CallOptions): Promise<string> {
    const { destination } = message
    const { signal } = options
    let settled: Promise<void>
    try {
      const carrier = this.#admit(message, signal)
      const declaring = this.#declare(carrier, destination)
      settled =
        declaring === true
          ? publishOne(carrier.publisher, message, options)
          : declaring.then(() => publishOne(carrier.publisher, message, options))
    } catch (error) {
      return Promise.reject(error as Error)
    }
    this.#pending++
    return (signal === undefined ? settled : unlessAborted(settled, signal)).then(
      () => {
        this.#pending--
        return message.id
      },
      (error: unknown) => {
        this.#pending--
        throw asPublishError(error, destination, signal)
      },
    )
  }

  /** The carrier that may take it now; throws where none may. */
  #admit(message: WireMessage, signal: AbortSignal | undefined): Carrier {
    if (this.#closed) throw new ClosedError('publish on a stopped bus: make a new one')
    signal?.throwIfAborted()
    if (this.#pending >= this.#maxPending) {
      this.#fullSinceMs ??= this.#clock.nowMs()
      throw new OverloadError(
        `${this.#pending} messages wait for their confirm: publish slower, or raise maxPendingPublishes`,
      )
    }
    this.#fullSinceMs = undefined
    const carrier = this.carrierOf(message.destination)
    refuseUnsupported(carrier.transport, message)
    return carrier
  }

  #declare({ transport, declared }: Carrier, destination: Destination): Promise<void> | true {
    // a queue belongs to the service that reads it, which alone knows how it is made; without one the publish is refused (R6)
    if (transport.declare === undefined || destination.kind !== 'topic') return true
    const known = declared.get(destination)
    if (known !== undefined) return known
    const declaring = transport.declare({ destinations: [destination], subscriptions: [] }).then(
      () => void declared.set(destination, true),
      (error: unknown) => {
        declared.delete(destination)
        throw error
      },
    )
    declared.set(destination, declaring)
    return declaring
  }
}

/** @throws {UnsupportedError} for what the carrier does not carry of a message: refused, never carried by half */
export function refuseUnsupported(
  { name, capabilities }: Pick<Transport, 'name' | 'capabilities'>,
  message: WireMessage,
): void {
  const refuse = (what: string, instead: string): never => {
    throw new UnsupportedError(`publish "${message.type}": ${name} does not carry ${what}; ${instead}`)
  }
  if (message.deliverAtMs !== undefined && capabilities.schedule !== true) {
    refuse('a delivery time', 'publish it through the outbox')
  }
  if (message.priority !== undefined && capabilities.priority !== true) refuse('priorities', 'leave priority out')
  if (message.body === null && capabilities.nullBody !== true) refuse('a message without a body', 'give an empty one')
  if (capabilities.binaryHeaders === true) return
  for (const header in message.headers) {
    if (typeof message.headers[header] !== 'string') refuse(`binary headers ("${header}")`, 'give text')
  }
}

/** Errors of the library and the caller's own abort stay as they are; others count as message, retryable, mayExist. */
function asPublishError(error: unknown, { name }: Destination, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted === true) return signal.reason
  // by code: the error may come from another installed copy
  if (error instanceof MessagingError || typeof (error as { retryable?: unknown } | null)?.retryable === 'boolean')
    return error
  return new PublishError(`publish to "${name}" failed: see the cause`, { ...publishFault(error), cause: error })
}
