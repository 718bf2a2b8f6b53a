import { ClosedError } from './errors.ts'
import type { Carrier } from './outgoing.ts'
import type { Ports } from './ports.ts'
import type { ReplyAddress } from './transport.ts'
import type { WireMessage } from './wire-message.ts'

interface ReplyListener {
  onReply(reply: WireMessage): void
  onLost(opening: Promise<ReplyAddress>, cause: Error): void
}

/** One reply address for each carrier, opened with the first request and again after it was lost. */
export class ReplyAddresses {
  readonly #open = new Map<Carrier, Promise<ReplyAddress>>()
  readonly #ports: Ports
  readonly #listener: ReplyListener
  #closed = false

  constructor(ports: Ports, listener: ReplyListener) {
    this.#ports = ports
    this.#listener = listener
  }

  of(carrier: Carrier): Promise<ReplyAddress> {
    if (this.#closed) return Promise.reject(new ClosedError('request on a stopped bus: make a new one'))
    const known = this.#open.get(carrier)
    if (known !== undefined) return known
    const opening: Promise<ReplyAddress> = openReplies(
      carrier,
      this.#ports,
      (reply) => this.#listener.onReply(reply),
      (cause) => {
        // the adapter may hand out the same object under a new address, so it is not disposed here
        this.#forget(carrier, opening)
        this.#listener.onLost(opening, cause)
      },
    )
    this.#open.set(carrier, opening)
    opening.catch(() => this.#forget(carrier, opening))
    return opening
  }

  async close(): Promise<void> {
    this.#closed = true
    const addresses = [...this.#open.values()]
    this.#open.clear()
    await Promise.allSettled(addresses.map(async (address) => (await address)[Symbol.asyncDispose]()))
  }

  /** The next request opens it anew. */
  #forget(carrier: Carrier, opening: Promise<ReplyAddress>): void {
    if (this.#open.get(carrier) === opening) this.#open.delete(carrier)
  }
}

async function openReplies(
  { transport }: Carrier,
  ports: Ports,
  onReply: (reply: WireMessage) => void,
  onLost: (reason: Error) => void,
): Promise<ReplyAddress> {
  if (transport.openReplies !== undefined) return await transport.openReplies(onReply, onLost)
  const address = `replies.${ports.newId()}`
  const subscription = await transport.subscribe(
    {
      service: address,
      sources: [{ kind: 'reply', name: address }],
      mode: 'broadcast',
      ackBefore: false,
      maxOpen: 1_000,
      maxOpenBytes: 64 * 1024 * 1024,
      start: 'latest',
    },
    async ({ message }) => {
      onReply(message)
      return { outcome: 'ack' }
    },
  )
  let disposed = false
  void subscription.ended.then((error) => {
    if (!disposed) onLost(error ?? new ClosedError('the subscription for replies ended'))
  })
  return {
    address,
    async [Symbol.asyncDispose]() {
      disposed = true
      await subscription.stop()
    },
  }
}
