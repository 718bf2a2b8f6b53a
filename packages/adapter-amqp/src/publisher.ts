import { ClosedError, ConfigError, OverloadError, PublishError, TimeoutError, sleep } from '@waybill/core'
import type { CallOptions, Destination, WireMessage } from '@waybill/core'
import { address } from './address.ts'
import type { AmqpConfirmChannel, AmqpMessage } from './client.ts'
import type { Link, Session } from './connection.ts'
import type { ResolvedOptions } from './options.ts'
import type { TopologyRoom } from './topology.ts'
import { label, lostWith, notReached, unknown, unroutable } from './publish-faults.ts'
import { OWN, countHeader, refused } from './wire.ts'
import type { Outgoing } from './wire.ts'

/** What must stand on the broker before a message can be sent. */
interface Prerequisite {
  readonly key: string
  declare(session: Session): Promise<void>
}

interface Entry {
  readonly outgoing: Outgoing
  readonly destination: Destination
  readonly needs: Prerequisite | undefined
  readonly confirm: boolean
  readonly bytes: number
  /** 0 until written. */
  sentAtMs: number
  settled: boolean
  returned: string | undefined
  settle(error?: Error): void
}

/** How long a destination that could not be declared refuses further messages without asking the broker again. */
const REFUSAL_HOLDS_MS = 1_000

/** One confirm channel, remade when it breaks; every message ends with exactly one of: confirmed, refused, unknown. */
export class ConfirmPublisher {
  readonly #link: Link
  readonly #options: ResolvedOptions
  readonly #topology: TopologyRoom
  readonly #stopping = new AbortController()
  readonly #unlisten: () => void
  #channel: AmqpConfirmChannel | undefined
  #session: Session | undefined
  #full = false
  #queue: Entry[] = []
  #number = 0
  /** Written and not answered, by publish number; a message that timed out stays until the broker answers. */
  readonly #written = new Map<number, Entry>()
  readonly #declared = new Map<string, Entry[] | 'ready' | PublishError>()
  #openMessages = 0
  #openBytes = 0
  #lastConfirmMs = 0
  #whenIdle: (() => void) | undefined

  constructor(link: Link, options: ResolvedOptions, topology: TopologyRoom) {
    this.#link = link
    this.#options = options
    this.#topology = topology
    this.#unlisten = link.listen({
      onUp: (session) => void this.#open(session),
      onDown: (reason) => {
        if (reason instanceof ConfigError || options.connection !== undefined) this.#refuseQueued(reason)
      },
      onUnblocked: () => this.#pump(),
    })
  }

  publish(messages: readonly WireMessage[], options: CallOptions = {}): Promise<void>[] {
    const call = this.#call(options)
    const promises = messages.map(
      (message) =>
        new Promise<void>((resolve, reject) => {
          try {
            const { outgoing, destination } = address(message, this.#options, this.#topology)
            const needs = outgoing.exchange === '' ? undefined : this.#exchange(outgoing.exchange)
            this.#checkRoom(outgoing.content.length)
            this.#enqueue(call, { outgoing, destination, needs, confirm: message.confirm !== false, resolve, reject })
          } catch (error) {
            reject(error as Error)
          }
        }),
    )
    call.begin()
    this.#pump()
    return promises
  }

  /** A copy of a message that is open here already, so it does not count against the bounds. */
  copy(outgoing: Outgoing, destination: Destination, needs?: Prerequisite): Promise<void> {
    const call = this.#call({})
    return new Promise((resolve, reject) => {
      this.#enqueue(call, { outgoing, destination, needs, confirm: true, resolve, reject })
      call.begin()
      this.#pump()
    })
  }

  /** Forgets that a destination was declared, so that the next message looks again. */
  forget(key: string): void {
    if (this.#declared.get(key) === 'ready') this.#declared.delete(key)
  }

  /** Waits for what is written, at most `drainTimeoutMs`; what is not written is refused at once. */
  async stop(drainTimeoutMs: number): Promise<void> {
    if (this.#stopping.signal.aborted) return
    const closed = new ClosedError('the RabbitMQ transport is stopped: create a new one')
    this.#stopping.abort(closed)
    this.#refuseQueued(closed)
    if (this.#openMessages > 0 && this.#link.session !== undefined && this.#link.blocked === undefined) {
      const late = new AbortController()
      const idle = new Promise<void>((resolve) => (this.#whenIdle = resolve))
      await Promise.race([idle, sleep(this.#options.ports.timers, drainTimeoutMs, late.signal).catch(() => {})])
      late.abort()
    }
    this.#unlisten()
    for (const entry of this.#written.values()) entry.settle(unknown('the transport was stopped'))
    this.#written.clear()
  }

  #exchange(name: string): Prerequisite {
    return { key: name, declare: (session) => this.#topology.declareExchange(session, name) }
  }

  #checkRoom(bytes: number): void {
    const { maxPendingMessages, maxPendingBytes } = this.#options
    if (this.#openMessages < maxPendingMessages && this.#openBytes + bytes <= maxPendingBytes) return
    const text = `${this.#openMessages} messages of ${this.#openBytes} bytes wait for RabbitMQ`
    throw new PublishError(`not published: ${text}, raise maxPendingMessages or maxPendingBytes, or publish slower`, {
      scope: 'transport',
      cause: new OverloadError(text),
    })
  }

  /** One timer and one abort listener for all messages of a call. */
  #call({ timeoutMs = this.#options.confirmTimeoutMs, signal }: CallOptions) {
    const entries = new Set<Entry>()
    let cancel: (() => void) | undefined
    const onAbort = () => {
      for (const entry of entries) entry.settle(signal!.reason as Error)
    }
    return {
      entries,
      begin: () => {
        if (entries.size === 0) return
        if (signal?.aborted) return onAbort()
        signal?.addEventListener('abort', onAbort, { once: true })
        cancel = this.#options.ports.timers.schedule(() => {
          for (const entry of entries) entry.settle(this.#lateness(entry, timeoutMs))
        }, timeoutMs)
      },
      end(entry: Entry) {
        entries.delete(entry)
        if (entries.size > 0) return
        cancel?.()
        signal?.removeEventListener('abort', onAbort)
      },
    }
  }

  #enqueue(
    call: { readonly entries: Set<Entry>; end(entry: Entry): void },
    given: Pick<Entry, 'outgoing' | 'destination' | 'needs' | 'confirm'> & {
      resolve(): void
      reject(error: Error): void
    },
  ): void {
    if (this.#stopping.signal.aborted) throw this.#stopping.signal.reason as Error
    this.#link.start()
    const { failure } = this.#link
    if (failure instanceof ConfigError || (failure && this.#options.connection !== undefined)) throw notReached(failure)
    const { resolve, reject, ...rest } = given
    const entry: Entry = {
      ...rest,
      bytes: given.outgoing.content.length,
      sentAtMs: 0,
      settled: false,
      returned: undefined,
      settle: (error) => {
        if (entry.settled) return
        entry.settled = true
        this.#openMessages--
        this.#openBytes -= entry.bytes
        call.end(entry)
        if (error) reject(error)
        else resolve()
        if (this.#openMessages === 0) this.#whenIdle?.()
      },
    }
    this.#openMessages++
    this.#openBytes += entry.bytes
    call.entries.add(entry)
    this.#queue.push(entry)
  }

  #lateness(entry: Entry, timeoutMs: number): PublishError {
    const what = `publish to ${label(entry.destination)} not confirmed within ${timeoutMs} ms`
    const { blocked, failure } = this.#link
    const reason = blocked === undefined ? failure?.message : `the broker takes no messages: ${blocked}`
    const text = `${what}${reason === undefined ? '' : ` (${reason})`}: raise confirmTimeoutMs or check the broker`
    // others were confirmed meanwhile, so only this destination is slow (a quorum queue without its majority)
    const alone = entry.sentAtMs > 0 && this.#lastConfirmMs > entry.sentAtMs
    return new PublishError(text, {
      scope: alone ? 'destination' : 'transport',
      mayExist: entry.sentAtMs > 0,
      cause: failure ?? new TimeoutError(what),
    })
  }

  async #open(session: Session): Promise<void> {
    this.#session = session
    for (const state of this.#declared.values()) if (Array.isArray(state)) this.#queue.unshift(...state)
    this.#declared.clear()
    const { ports, logger } = this.#options
    for (let attempt = 0; !session.lost.aborted && !this.#stopping.signal.aborted; attempt++) {
      try {
        const channel = await session.connection.createConfirmChannel()
        this.#adopt(channel, session)
        return
      } catch (error) {
        logger.warn({ reason: (error as Error).message }, 'publishing channel not opened')
        await sleep(ports.timers, Math.min(5_000, 50 * 2 ** attempt), session.lost).catch(() => {})
      }
    }
  }

  #adopt(channel: AmqpConfirmChannel, session: Session): void {
    let reason: (Error & { code?: number }) | undefined
    channel.on('error', (error: Error) => (reason = error))
    channel.on('handler-error', (error: Error) => (reason = error))
    channel.on('drain', () => {
      this.#full = false
      this.#pump()
    })
    channel.on('return', (message: AmqpMessage & { fields: { replyText?: string } }) => {
      const entry = this.#written.get(countHeader(message, OWN.publish))
      if (entry !== undefined) entry.returned = message.fields.replyText ?? 'NO_ROUTE'
    })
    channel.on('close', () => {
      if (this.#channel === channel) this.#channel = undefined
      const waiting = [...this.#written.values()]
      this.#written.clear()
      for (const entry of waiting) entry.settle(lostWith(entry, reason))
      // the connection lives: only the channel was closed, over one bad message
      if (!session.lost.aborted && this.#session === session) void this.#open(session)
    })
    this.#full = false
    this.#channel = channel
    this.#pump()
  }

  #pump(): void {
    const queue = this.#queue
    let index = 0
    while (index < queue.length && this.#channel !== undefined && !this.#full && this.#link.blocked === undefined) {
      if (this.#written.size >= this.#options.maxPendingMessages) break
      const entry = queue[index++]!
      if (entry.settled) continue
      const state = entry.needs === undefined ? 'ready' : this.#declared.get(entry.needs.key)
      if (state === 'ready') {
        if (!this.#write(this.#channel, entry)) {
          index--
          break
        }
      } else if (state === undefined) void this.#declare(entry)
      else if (Array.isArray(state)) state.push(entry)
      else entry.settle(state)
    }
    if (index > 0) queue.splice(0, index)
    // what timed out must not be kept, however long the broker is away
    else if (queue.length > 0 && queue[0]!.settled) this.#queue = queue.filter((entry) => !entry.settled)
  }

  async #declare(first: Entry): Promise<void> {
    const { key, declare } = first.needs!
    const waiting = [first]
    this.#declared.set(key, waiting)
    const session = this.#session!
    let failure: PublishError | undefined
    try {
      await declare(session)
    } catch (cause) {
      failure = new PublishError(`publish to ${label(first.destination)} refused: ${(cause as Error).message}`, {
        scope: 'destination',
        cause,
      })
    }
    if (this.#declared.get(key) !== waiting) return // a new session began, and took them over
    if (failure === undefined) {
      this.#declared.set(key, 'ready')
      this.#queue.unshift(...waiting)
      this.#pump()
      return
    }
    if (session.lost.aborted) {
      // the new session will try again
      this.#declared.delete(key)
      this.#queue.unshift(...waiting)
      return
    }
    this.#declared.set(key, failure)
    for (const entry of waiting) entry.settle(failure)
    await sleep(this.#options.ports.timers, REFUSAL_HOLDS_MS, this.#stopping.signal).catch(() => {})
    if (this.#declared.get(key) === failure) this.#declared.delete(key)
  }

  /** False when the channel is closed, so that the message stays first in line. */
  #write(channel: AmqpConfirmChannel, entry: Entry): boolean {
    const number = ++this.#number
    const { exchange, routingKey, content, mandatory, properties } = entry.outgoing
    if (mandatory) {
      properties.mandatory = true
      properties.headers[OWN.publish] = number
    }
    let room: boolean
    try {
      room = channel.publish(exchange, routingKey, content, properties, (error) => this.#answered(number, entry, error))
    } catch (error) {
      if ((error as Error).name === 'IllegalOperationError') {
        this.#channel = undefined // its close event is on the way
        return false
      }
      entry.settle(refused(`it can't be encoded (${(error as Error).message})`))
      return true
    }
    entry.sentAtMs = this.#options.ports.clock.nowMs()
    this.#written.set(number, entry)
    if (!entry.confirm) entry.settle()
    if (!room) this.#full = true
    return true
  }

  #answered(number: number, entry: Entry, error: Error | null): void {
    // on a lost channel all callbacks come before the close event, which knows more: leave it to that one
    if (error !== null && error.message !== 'message nacked') return
    const wasFull = this.#written.size >= this.#options.maxPendingMessages
    this.#written.delete(number)
    this.#lastConfirmMs = this.#options.ports.clock.nowMs()
    if (error !== null) {
      entry.settle(
        new PublishError(`publish to ${label(entry.destination)} refused by the broker: is the queue full?`, {
          scope: 'destination',
          // of several queues behind an exchange only one may have been full
          mayExist: entry.outgoing.exchange !== '',
          cause: error,
        }),
      )
    } else if (entry.returned !== undefined) entry.settle(unroutable(entry))
    else entry.settle()
    if (wasFull) this.#pump()
  }

  #refuseQueued(reason: Error): void {
    const refusal = reason instanceof ClosedError ? reason : notReached(reason)
    const queued = this.#queue
    this.#queue = []
    for (const entry of queued) entry.settle(refusal)
    for (const [key, state] of this.#declared) {
      if (!Array.isArray(state)) continue
      this.#declared.delete(key)
      for (const entry of state) entry.settle(refusal)
    }
  }
}
