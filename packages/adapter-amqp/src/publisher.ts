import { ClosedError, ConfigError, OverloadError, PublishError, TimeoutError, sleep } from '@waybill/core'
import type { CallOptions, Destination, WireMessage } from '@waybill/core'
import { address } from './address.ts'
import type { AmqpConfirmChannel, AmqpMessage } from './client.ts'
import type { Link, Session } from './connection.ts'
import { Deadlines } from './deadlines.ts'
import { Declarations } from './declarations.ts'
import type { ResolvedOptions } from './options.ts'
import { Overdue } from './overdue.ts'
import { AbortWatch, Publication, type Given, type Prerequisite, type PublicationOwner } from './publication.ts'
import type { TopologyRoom } from './topology.ts'
import { label, lostWith, notReached, unknown, unroutable } from './publish-faults.ts'
import { SharedHeaders } from './shared-headers.ts'
import { OWN, countHeader, refused } from './wire.ts'
import type { Outgoing } from './wire.ts'

/** One confirm channel, remade when it breaks; every message ends with exactly one of: confirmed, refused, unknown. */
export class ConfirmPublisher implements PublicationOwner {
  readonly #link: Link
  readonly #options: ResolvedOptions
  readonly #topology: TopologyRoom
  readonly #stopping = new AbortController()
  readonly #unlisten: () => void
  #channel: AmqpConfirmChannel | undefined
  #session: Session | undefined
  #full = false
  #queue: Publication[] = []
  #number = 0
  /** Written and not answered, by publish number; a message that timed out stays until the broker answers. */
  readonly #written = new Map<number, Publication>()
  readonly #declarations: Declarations
  readonly #deadlines: Deadlines<Publication>
  readonly #overdue: Overdue
  readonly #headers = new SharedHeaders()
  #openMessages = 0
  #openBytes = 0
  #lastConfirmMs = 0
  #whenIdle: (() => void) | undefined
  readonly #onDeclared = (waiting: readonly Publication[]): void => {
    this.#queue.unshift(...waiting)
    this.#pump()
  }

  constructor(link: Link, options: ResolvedOptions, topology: TopologyRoom) {
    this.#link = link
    this.#options = options
    this.#topology = topology
    this.#declarations = new Declarations(options, this.#stopping.signal)
    this.#overdue = new Overdue(options.maxPendingMessages)
    this.#deadlines = new Deadlines(options.ports.timers, (late, timeoutMs) => {
      if (late.sentAtMs > 0) this.#overdue.add(late)
      late.settle(this.#lateness(late, timeoutMs))
    })
    this.#unlisten = link.listen({
      onUp: (session) => void this.#open(session),
      onDown: (reason) => {
        if (reason instanceof ConfigError || options.connection !== undefined) this.#refuseQueued(reason)
      },
      onUnblocked: () => this.#pump(),
    })
  }

  publish(messages: readonly WireMessage[], { timeoutMs, signal }: CallOptions = {}): Promise<void>[] {
    const watch = signal === undefined ? undefined : new AbortWatch(signal)
    const promises = messages.map(
      (message) =>
        new Promise<void>((resolve, reject) => {
          try {
            const { outgoing, destination } = address(message, this.#options, this.#topology)
            const needs = outgoing.exchange === '' ? undefined : this.#exchange(outgoing.exchange)
            this.#checkRoom(outgoing.content.length)
            const given = { outgoing, destination, needs, confirm: message.confirm !== false, fresh: true }
            const publication = this.#enqueue(given, timeoutMs, resolve, reject)
            watch?.add(publication)
          } catch (error) {
            reject(error as Error)
          }
        }),
    )
    watch?.begin()
    this.#pump()
    return promises
  }

  /** Why messages don't get out although there is a connection. */
  get problem(): { readonly sinceMs: number; readonly reason: string } | undefined {
    return this.#overdue.problem
  }

  /** A copy of a message that is open here already, so it does not count against the bounds. */
  copy(outgoing: Outgoing, destination: Destination, needs?: Prerequisite): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#enqueue({ outgoing, destination, needs, confirm: true, fresh: false }, undefined, resolve, reject)
      this.#pump()
    })
  }

  /** Forgets that a destination was declared, so that the next message looks again. */
  forget(key: string): void {
    this.#declarations.forget(key)
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
    for (const publication of this.#written.values()) publication.settle(unknown('the transport was stopped'))
    this.#written.clear()
    this.#deadlines.clear()
  }

  onSettled({ bytes }: Publication): void {
    this.#openBytes -= bytes
    if (--this.#openMessages === 0) this.#whenIdle?.()
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

  #enqueue(
    given: Given,
    timeoutMs: number | undefined,
    resolve: () => void,
    reject: (reason: Error) => void,
  ): Publication {
    if (this.#stopping.signal.aborted) throw this.#stopping.signal.reason as Error
    this.#link.start()
    const { failure } = this.#link
    if (failure instanceof ConfigError || (failure && this.#options.connection !== undefined)) throw notReached(failure)
    const publication = new Publication(given, this, resolve, reject)
    this.#overdue.check(publication)
    this.#openMessages++
    this.#openBytes += publication.bytes
    publication.deadline = this.#deadlines.add(publication, timeoutMs ?? this.#options.confirmTimeoutMs)
    this.#queue.push(publication)
    return publication
  }

  #lateness(publication: Publication, timeoutMs: number): PublishError {
    const what = `publish to ${label(publication.destination)} not confirmed within ${timeoutMs} ms`
    const { blocked, failure } = this.#link
    const reason = blocked === undefined ? failure?.message : `the broker takes no messages: ${blocked}`
    const text = `${what}${reason === undefined ? '' : ` (${reason})`}: raise confirmTimeoutMs or check the broker`
    // others were confirmed meanwhile, so only this destination is slow (a quorum queue without its majority)
    const alone = publication.sentAtMs > 0 && this.#lastConfirmMs > publication.sentAtMs
    return new PublishError(text, {
      scope: alone ? 'destination' : 'transport',
      mayExist: publication.sentAtMs > 0,
      cause: failure ?? new TimeoutError(what),
    })
  }

  async #open(session: Session): Promise<void> {
    this.#session = session
    this.#queue.unshift(...this.#declarations.reset())
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
      const publication = this.#written.get(countHeader(message, OWN.publish))
      if (publication !== undefined) publication.returned = message.fields.replyText ?? 'NO_ROUTE'
    })
    channel.on('close', () => {
      if (this.#channel === channel) this.#channel = undefined
      const waiting = [...this.#written.values()]
      this.#written.clear()
      this.#overdue.clear()
      for (const publication of waiting) publication.settle(lostWith(publication, reason))
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
      if (this.#written.size - this.#overdue.size >= this.#options.maxPendingMessages) break
      const publication = queue[index++]!
      if (publication.settled || this.#refuses(publication, this.#session!)) continue
      if (!this.#declarations.admits(publication, this.#session!, this.#onDeclared)) continue
      if (!this.#write(this.#channel, publication)) {
        index--
        break
      }
    }
    if (index > 0) queue.splice(0, index)
    // what timed out must not be kept, however long the broker is away
    else if (queue.length > 0 && queue[0]!.settled) this.#queue = queue.filter(({ settled }) => !settled)
  }

  /** What this broker would carry by half; its version is known only now. */
  #refuses(publication: Publication, { brokerMajor }: Session): boolean {
    if (brokerMajor >= 4 || !publication.fresh || publication.outgoing.properties.priority === undefined) return false
    publication.settle(refused('quorum queues have no priorities before RabbitMQ 4: leave priority out'))
    return true
  }

  /** False when the channel is closed, so that the message stays first in line. */
  #write(channel: AmqpConfirmChannel, publication: Publication): boolean {
    const number = ++this.#number
    const { exchange, routingKey, content, mandatory, properties } = publication.outgoing
    if (mandatory) {
      properties.mandatory = true
      properties.headers[OWN.publish] = number
    }
    let room: boolean
    try {
      const options = { ...properties, headers: this.#headers.with(properties.headers) }
      room = channel.publish(exchange, routingKey, content, options, (error) =>
        this.#answered(number, publication, error),
      )
    } catch (error) {
      if ((error as Error).name === 'IllegalOperationError') {
        this.#channel = undefined // its close event is on the way
        return false
      }
      publication.settle(refused(`it can't be encoded (${(error as Error).message})`))
      return true
    }
    publication.sentAtMs = this.#options.ports.clock.nowMs()
    this.#written.set(number, publication)
    if (!publication.confirm) publication.settle()
    if (!room) this.#full = true
    return true
  }

  #answered(number: number, publication: Publication, error: Error | null): void {
    // on a lost channel all callbacks come before the close event, which knows more: leave it to that one
    if (error !== null && error.message !== 'message nacked') return
    const wasFull = this.#written.size - this.#overdue.size >= this.#options.maxPendingMessages
    this.#written.delete(number)
    this.#overdue.delete(publication)
    this.#lastConfirmMs = this.#options.ports.clock.nowMs()
    if (error !== null) {
      publication.settle(
        new PublishError(`publish to ${label(publication.destination)} refused by the broker: is the queue full?`, {
          scope: 'destination',
          // of several queues behind an exchange only one may have been full
          mayExist: publication.outgoing.exchange !== '',
          cause: error,
        }),
      )
    } else if (publication.returned !== undefined) publication.settle(unroutable(publication))
    else publication.settle()
    if (wasFull) this.#pump()
  }

  #refuseQueued(reason: Error): void {
    const refusal = reason instanceof ClosedError ? reason : notReached(reason)
    const queued = this.#queue
    this.#queue = []
    for (const publication of queued) publication.settle(refusal)
    for (const publication of this.#declarations.takeWaiting()) publication.settle(refusal)
  }
}
