import { randomUUID } from 'node:crypto'
import { json } from './codec.ts'
import type { RequestDefinition } from './definition.ts'
import { ClosedError, OverloadError, PublishError, RemoteError, TimeoutError } from './errors.ts'
import { decode } from './message.ts'
import type { Carrier } from './outgoing.ts'
import type { Ports } from './ports.ts'
import { replyDefinition } from './reply.ts'
import type { ReplyAddress } from './transport.ts'
import type { WireMessage } from './wire-message.ts'

interface Pending {
  readonly opening: Promise<ReplyAddress>
  readonly definition: RequestDefinition
  readonly resolve: (data: unknown) => void
  readonly reject: (reason: unknown) => void
}

export interface RequestCall {
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** Requests that wait for their reply: bounded, each with a deadline, matched by an id that can't be guessed. */
export class Requests {
  readonly #pending = new Map<string, Pending>()
  readonly #addresses = new Map<Carrier, Promise<ReplyAddress>>()
  readonly #ports: Ports
  readonly #max: number
  readonly #onLateReply: () => void
  #closed = false

  constructor(ports: Ports, max: number, onLateReply: () => void) {
    this.#ports = ports
    this.#max = max
    this.#onLateReply = onLateReply
  }

  get pending(): number {
    return this.#pending.size
  }

  /** Hands the correlation id and the reply address to `send`, and resolves with the reply. */
  async call(
    definition: RequestDefinition,
    carrier: Carrier,
    { timeoutMs, signal }: RequestCall,
    send: (correlationId: string, replyTo: string) => Promise<unknown>,
  ): Promise<unknown> {
    signal?.throwIfAborted()
    if (this.#pending.size >= this.#max) {
      throw new OverloadError(
        `${this.#pending.size} requests wait for replies: ask slower, or raise maxPendingRequests`,
      )
    }
    // 122 random bits: a forged reply can not guess it
    const correlationId = randomUUID()
    return await new Promise<unknown>((resolve, reject) => {
      const finish = () => {
        this.#pending.delete(correlationId)
        cancel()
        signal?.removeEventListener('abort', onAbort)
      }
      const pending: Pending = {
        opening: this.#address(carrier),
        definition,
        resolve: (data) => {
          finish()
          resolve(data)
        },
        reject: (reason) => {
          finish()
          reject(reason as Error)
        },
      }
      const onAbort = () => pending.reject(signal!.reason)
      const cancel = this.#ports.timers.schedule(() => {
        const text = `no reply to "${definition.wireType}" within ${timeoutMs} ms: raise timeoutMs or check its responder`
        pending.reject(new TimeoutError(text))
      }, timeoutMs)
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#pending.set(correlationId, pending)
      pending.opening
        .then(({ address }) => (this.#pending.has(correlationId) ? send(correlationId, address) : undefined))
        .catch((error: unknown) => pending.reject(error))
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const { reject } of [...this.#pending.values()]) {
      reject(new ClosedError('the bus stopped before the reply came; the request may have been handled'))
    }
    const addresses = [...this.#addresses.values()]
    this.#addresses.clear()
    await Promise.allSettled(addresses.map(async (address) => (await address)[Symbol.asyncDispose]()))
  }

  #address(carrier: Carrier): Promise<ReplyAddress> {
    if (this.#closed) return Promise.reject(new ClosedError('request on a stopped bus: make a new one'))
    const known = this.#addresses.get(carrier)
    if (known !== undefined) return known
    const opening: Promise<ReplyAddress> = openReplies(
      carrier,
      this.#ports,
      (reply) => void this.#onReply(reply),
      (reason) => this.#onLost(carrier, opening, reason),
    )
    this.#addresses.set(carrier, opening)
    opening.catch(() => {
      if (this.#addresses.get(carrier) === opening) this.#addresses.delete(carrier)
    })
    return opening
  }

  #onLost(carrier: Carrier, lost: Promise<ReplyAddress>, cause: Error): void {
    // the next request opens it anew
    if (this.#addresses.get(carrier) === lost) this.#addresses.delete(carrier)
    for (const pending of [...this.#pending.values()]) {
      if (pending.opening !== lost) continue
      const text = `the reply address of "${pending.definition.wireType}" was lost: ask again, the request may have been handled`
      pending.reject(new PublishError(text, { scope: 'transport', retryable: true, mayExist: true, cause }))
    }
    // the adapter may hand out the same object under a new address, so it is not disposed here
  }

  async #onReply(reply: WireMessage): Promise<void> {
    const pending = this.#pending.get(reply.correlationId ?? '')
    if (pending === undefined) return this.#onLateReply()
    // taken off at once, so that a duplicate is counted as late
    this.#pending.delete(reply.correlationId!)
    try {
      const code = reply.attributes['errorcode']
      if (code !== undefined) throw remoteError(code, reply)
      pending.resolve(await decode(replyDefinition(pending.definition, ''), reply))
    } catch (error) {
      pending.reject(error)
    }
  }
}

function remoteError(remoteCode: string, { body }: WireMessage): RemoteError {
  let told: { readonly message?: unknown; readonly retryable?: unknown } = {}
  try {
    told = (json.decode(body ?? new Uint8Array()) ?? {}) as typeof told
  } catch {
    // a responder of another make may say nothing more than its code
  }
  const text = typeof told.message === 'string' ? told.message.slice(0, 1_024) : 'the responder failed'
  return new RemoteError(text, { remoteCode, retryable: told.retryable === true })
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
