import { keyedPublisher, publishOne } from '../keyed-publisher.ts'
import { refuseUnsupported } from '../outgoing.ts'
import type { Publisher, Transport } from '../transport.ts'
import type { WireMessage } from '../wire-message.ts'

/** The far side of a bridge: declares a topic before its first message, keeps the order of keys, waits for the confirm. */
export class Target {
  readonly #carrier: Pick<Transport, 'name' | 'capabilities' | 'declare'> & Partial<AsyncDisposable>
  readonly #publisher: Publisher
  /** One entry for each topic that the routes name. */
  readonly #declared = new Map<string, Promise<void>>()

  constructor(to: Publisher | Transport) {
    const { name = 'the publisher', capabilities = {} } = to as Partial<Transport>
    const declare = (to as Partial<Transport>).declare?.bind(to)
    const dispose = (to as Partial<AsyncDisposable>)[Symbol.asyncDispose]?.bind(to)
    this.#carrier = {
      name,
      capabilities,
      ...(declare !== undefined && { declare }),
      ...(dispose !== undefined && { [Symbol.asyncDispose]: dispose }),
    }
    this.#publisher = keyedPublisher(to)
  }

  /** Fulfilled = the carrier has it. */
  async publish(message: WireMessage, signal: AbortSignal): Promise<void> {
    refuseUnsupported(this.#carrier, message)
    await this.#declare(message)
    await publishOne(this.#publisher, message, { signal })
  }

  /** Priorities order a queue, they are no part of what a message says: left out where the carrier has none. */
  get takesPriority(): boolean {
    return this.#carrier.capabilities.priority === true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#carrier[Symbol.asyncDispose]?.()
  }

  async #declare({ destination: { kind, name, transport } }: WireMessage): Promise<void> {
    const { declare } = this.#carrier
    // a queue is made by whoever reads it
    if (declare === undefined || kind !== 'topic') return
    const key = JSON.stringify([transport, name])
    let declaring = this.#declared.get(key)
    if (declaring === undefined) {
      const destination = { kind, name, ...(transport !== undefined && { transport }) }
      declaring = declare({ destinations: [destination], subscriptions: [] })
      this.#declared.set(key, declaring)
      declaring.catch(() => this.#declared.delete(key))
    }
    await declaring
  }
}
