import { randomUUID } from 'node:crypto'
import type { Refusing } from './bus-health.ts'
import type { RequestDefinition } from './definition.ts'
import { ClosedError, OverloadError, PublishError, TimeoutError } from './errors.ts'
import { Answers, type GatherBounds } from './gathering.ts'
import type { Observer } from './observer.ts'
import type { Carrier } from './outgoing.ts'
import type { Ports } from './ports.ts'
import { ReplyAddresses } from './reply-addresses.ts'
import { readReply } from './reply.ts'
import type { ReplyAddress } from './transport.ts'
import type { WireMessage } from './wire-message.ts'

/** One question on its way: what is asked, where its replies come, how long they are waited for. */
export interface Asking {
  readonly definition: RequestDefinition
  readonly carrier: Carrier
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  readonly send: (correlationId: string, replyTo: string) => Promise<unknown>
}

/** Who waits for the replies to one question. */
interface Waiter {
  onReply(reply: WireMessage, end: () => void): void
  /** What was asked did not get out, or nobody can hear the replies any more. */
  onFailure(reason: unknown): void
  onDeadline(sent: boolean): void
}

interface Pending {
  readonly asking: Asking
  readonly opening: Promise<ReplyAddress>
  readonly waiter: Waiter
  readonly end: () => void
}

/** Gatherings that ended lately, by correlation id, so that each can tell of its stragglers. */
const MAX_ENDED = 1_000

/** Requests that wait for replies: bounded, each with a deadline, matched by an id that can't be guessed. */
export class Requests {
  readonly #pending = new Map<string, Pending>()
  readonly #ended = new Map<string, Answers>()
  readonly #addresses: ReplyAddresses
  readonly #ports: Ports
  readonly #max: number
  readonly #observer: Observer
  readonly #onLateReply: () => void
  #fullSinceMs: number | undefined

  constructor(ports: Ports, max: number, observer: Observer, onLateReply: () => void) {
    this.#ports = ports
    this.#max = max
    this.#observer = observer
    this.#onLateReply = onLateReply
    this.#addresses = new ReplyAddresses(ports, {
      onReply: (reply) => this.#onReply(reply),
      onLost: (opening, cause) => this.#onLost(opening, cause),
    })
  }

  get pending(): number {
    return this.#pending.size
  }

  /** Since when requests are refused, for want of replies. */
  get refusing(): Refusing | undefined {
    if (this.#fullSinceMs === undefined || this.#pending.size < this.#max) return undefined
    const reason = `refuses requests: ${this.#pending.size} wait for replies, the bound of maxPendingRequests`
    return { sinceMs: this.#fullSinceMs, reason }
  }

  /** Hands the correlation id and the reply address to `send`, and resolves with the reply. */
  async call(asking: Asking): Promise<unknown> {
    const { definition, timeoutMs } = asking
    return await new Promise<unknown>((resolve, reject) => {
      this.#open(randomId(), asking, {
        onReply: (reply, end) => {
          // taken off at once, so that a duplicate is counted as late
          end()
          readReply(definition, reply).then(resolve, reject)
        },
        onFailure: reject,
        onDeadline: () => {
          const text = `no reply to "${definition.wireType}" within ${timeoutMs} ms: raise timeoutMs or check its responder`
          reject(new TimeoutError(text))
        },
      })
    })
  }

  /** Hands the correlation id and the reply address to `send`, and collects the answers until there are enough. */
  gather(asking: Asking, bounds: GatherBounds): Answers {
    const { definition, timeoutMs } = asking
    const correlationId = randomId()
    const answers = new Answers(definition, bounds, {
      onEnd: () => this.#end(correlationId, answers),
      onLate: this.#onLateReply,
    })
    const waiter: Waiter = {
      onReply: (reply) => void answers.take(reply),
      onFailure: (reason) => answers.fail(reason),
      onDeadline: (sent) => {
        if (sent || answers.count > 0) return answers.end()
        const text = `"${definition.wireType}" did not get out within ${timeoutMs} ms: raise timeoutMs or check the carrier`
        answers.fail(new TimeoutError(text))
      },
    }
    try {
      this.#open(correlationId, asking, waiter)
    } catch (error) {
      answers.fail(error)
    }
    return answers
  }

  async close(): Promise<void> {
    const closing = this.#addresses.close()
    for (const { end, waiter } of [...this.#pending.values()]) {
      end()
      waiter.onFailure(new ClosedError('the bus stopped before the reply came; the request may have been handled'))
    }
    await closing
  }

  /** @throws {OverloadError} too many wait already; @throws what the signal was aborted with */
  #open(correlationId: string, asking: Asking, waiter: Waiter): void {
    const { carrier, timeoutMs, signal, send } = asking
    signal?.throwIfAborted()
    if (this.#pending.size >= this.#max) {
      this.#fullSinceMs ??= this.#ports.clock.nowMs()
      throw new OverloadError(
        `${this.#pending.size} requests wait for replies: ask slower, or raise maxPendingRequests`,
      )
    }
    this.#fullSinceMs = undefined
    let sent = false
    const end = () => {
      this.#pending.delete(correlationId)
      cancel()
      signal?.removeEventListener('abort', onAbort)
    }
    const fail = (reason: unknown) => {
      if (!this.#pending.has(correlationId)) return
      end()
      waiter.onFailure(reason)
    }
    const onAbort = () => fail(signal!.reason)
    const cancel = this.#ports.timers.schedule(() => {
      end()
      waiter.onDeadline(sent)
    }, timeoutMs)
    signal?.addEventListener('abort', onAbort, { once: true })
    const opening = this.#addresses.of(carrier)
    this.#pending.set(correlationId, { asking, opening, waiter, end })
    opening
      .then(({ address }) => (this.#pending.has(correlationId) ? send(correlationId, address) : undefined))
      .then(() => (sent = true), fail)
  }

  #end(correlationId: string, answers: Answers): void {
    this.#pending.get(correlationId)?.end()
    this.#ended.set(correlationId, answers)
    if (this.#ended.size <= MAX_ENDED) return
    for (const [oldest] of this.#ended) {
      this.#ended.delete(oldest)
      return
    }
  }

  #onReply(reply: WireMessage): void {
    const correlationId = reply.correlationId ?? ''
    const pending = this.#pending.get(correlationId)
    if (pending !== undefined) {
      const { asking, waiter, end } = pending
      const { definition, carrier } = asking
      return this.#observer.reply(reply, definition, carrier.transport.name, () => waiter.onReply(reply, end))
    }
    const ended = this.#ended.get(correlationId)
    if (ended === undefined) this.#onLateReply()
    else ended.countLate()
  }

  #onLost(lost: Promise<ReplyAddress>, cause: Error): void {
    for (const { asking, opening, waiter, end } of [...this.#pending.values()]) {
      if (opening !== lost) continue
      end()
      const text = `the reply address of "${asking.definition.wireType}" was lost: ask again, the request may have been handled`
      waiter.onFailure(new PublishError(text, { scope: 'transport', retryable: true, mayExist: true, cause }))
    }
  }
}

/** 122 random bits: a forged reply can not guess it. */
function randomId(): string {
  return randomUUID()
}
