import { ConnectionError, TimeoutError, UnsupportedError, publishFault, reasonOf, sleep } from '@waybill/core'
import type { Capabilities, Delivery, Settlement, SubscribeOptions, Subscription, WireHeaders } from '@waybill/core'
import type { AmqpMessage } from './client.ts'
import type { Link } from './connection.ts'
import type { ResolvedOptions } from './options.ts'
import type { ConfirmPublisher } from './publisher.ts'
import { QueueReader, type Tap } from './reader.ts'
import { stepFor } from './retry-ladder.ts'
import { waitName } from './topology.ts'
import type { TopologyRoom } from './topology.ts'
import { OWN, copyProperties, countHeader, ownHeader, read } from './wire.ts'
import type { Outgoing } from './wire.ts'

/** What a subscription shares with its transport. */
export interface SubscriberRooms {
  readonly link: Link
  readonly publisher: ConfirmPublisher
  readonly options: ResolvedOptions
  readonly topology: TopologyRoom
}

type Deliver = (delivery: Delivery) => Promise<Settlement>

/** From so many redeliveries on a message is opened with nothing beside it: it may be what kills the process. */
const SUSPICIOUS_COUNT = 3
const DRAIN_TIMEOUT_MS = 10_000

/** The readers of one service, one window of open deliveries over all of them. */
export class AmqpSubscription implements Subscription {
  readonly capabilities: Capabilities
  readonly ended: Promise<Error | undefined>
  readonly service: string
  readonly #rooms: SubscriberRooms
  readonly #subscription: SubscribeOptions
  readonly #deliver: Deliver
  readonly #readers: readonly QueueReader[]
  /** Aborts when what is still open has to be given up. */
  readonly #giveUp = new AbortController()
  #open = 0
  #openBytes = 0
  #alone = false
  #paused = false
  #stopped: Promise<void> | undefined
  #copyProblem: string | undefined
  #whenIdle: (() => void) | undefined
  #resumed: (() => void)[] = []
  #end: (error?: Error) => void = () => {}

  constructor(rooms: SubscriberRooms, subscription: SubscribeOptions, capabilities: Capabilities, deliver: Deliver) {
    const { start } = subscription
    if (typeof start === 'object') {
      throw new UnsupportedError(`start of "${subscription.service}": RabbitMQ queues have no position to start at`)
    }
    this.service = subscription.service
    this.capabilities = capabilities
    this.#rooms = rooms
    this.#subscription = subscription
    this.#deliver = deliver
    this.ended = new Promise((resolve) => (this.#end = resolve))
    const { link, options, topology } = rooms
    const owner = {
      onMessage: (tap: Tap, raw: AmqpMessage) => {
        tap.buffer.push(raw)
        this.#pump()
      },
      whenReading: () => this.#whenReading(),
    }
    this.#readers = topology
      .plan(subscription)
      .map((plan) => new QueueReader(link, options, topology, subscription, plan, owner))
  }

  /** Why this service reads nothing, or can't give up a message. */
  get problem(): string | undefined {
    return this.#copyProblem ?? this.#readers.find((reader) => reader.problem !== undefined)?.problem
  }

  /** @throws {ConfigError} at once; @throws {ConnectionError} when not reading within `connectTimeoutMs` */
  async start(): Promise<void> {
    const { options, link } = this.#rooms
    const late = new AbortController()
    const lateness = sleep(options.ports.timers, options.connectTimeoutMs, late.signal).then(() => {
      const reason = link.failure ?? new TimeoutError(`no answer within ${options.connectTimeoutMs} ms`)
      throw new ConnectionError(`subscribe "${this.service}" failed: ${this.problem ?? reason.message}`, {
        cause: reason,
      })
    })
    lateness.catch(() => {})
    const begun = Promise.all(this.#readers.map((reader) => reader.start()))
    try {
      await Promise.race([begun, lateness])
    } catch (error) {
      begun.catch(() => {})
      await this.stop({ drainTimeoutMs: 0 })
      throw error
    } finally {
      late.abort()
    }
    if (options.connection !== undefined) {
      link.listen({ onDown: (reason) => void this.stop({ drainTimeoutMs: 0 }, reason) })
    }
  }

  pause(): void {
    if (this.#paused || this.#stopped) return
    this.#paused = true
    if (this.#subscription.mode === 'ordered') return // a cancel would hand the rest to another instance out of order
    for (const { tap } of this.#readers) if (tap !== undefined) void this.#cancel(tap)
  }

  resume(): void {
    if (!this.#paused || this.#stopped) return
    this.#paused = false
    for (const resolve of this.#resumed.splice(0)) resolve()
    for (const reader of this.#readers) {
      const { tap } = reader
      if (tap?.pause !== 'cancelled') continue
      tap.pause = 'none'
      reader.consume(tap).catch((error: Error) => tap.end(error))
    }
    this.#pump()
  }

  stop(options: { readonly drainTimeoutMs?: number | undefined } = {}, reason?: Error): Promise<void> {
    this.#stopped ??= this.#drain(options.drainTimeoutMs ?? DRAIN_TIMEOUT_MS).then(() => this.#end(reason))
    return this.#stopped
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #drain(drainTimeoutMs: number): Promise<void> {
    for (const resolve of this.#resumed.splice(0)) resolve()
    for (const reader of this.#readers) {
      reader.retire()
      const { tap } = reader
      if (tap === undefined) continue
      tap.recalled.abort()
      if (this.#subscription.mode !== 'ordered') void this.#cancel(tap)
    }
    if (this.#open > 0 && drainTimeoutMs > 0) {
      const late = new AbortController()
      const idle = new Promise<void>((resolve) => (this.#whenIdle = resolve))
      const { timers } = this.#rooms.options.ports
      await Promise.race([idle, sleep(timers, drainTimeoutMs, late.signal).catch(() => {})])
      late.abort()
    }
    this.#giveUp.abort()
    await Promise.all(this.#readers.map((reader) => reader.stop()))
  }

  /** Takes no more from the broker and gives back what was not begun. */
  async #cancel(tap: Tap): Promise<void> {
    const { consumerTag } = tap
    if (consumerTag === undefined || tap.pause !== 'none') return
    tap.pause = 'cancelling'
    tap.consumerTag = undefined
    try {
      await tap.channel.cancel(consumerTag)
      tap.giveBackBuffer()
      tap.pause = 'cancelled'
      if (this.#paused || this.#stopped) return
      tap.pause = 'none' // resumed while the broker answered
      await this.#readers.find((reader) => reader.tap === tap)?.consume(tap)
    } catch (error) {
      tap.end(error as Error)
    }
  }

  #whenReading(): Promise<void> {
    if (!this.#paused || this.#stopped) return Promise.resolve()
    return new Promise((resolve) => this.#resumed.push(resolve))
  }

  #pump(): void {
    if (this.#stopped || this.#paused) return
    const { maxOpen, maxOpenBytes, ackBefore } = this.#subscription
    for (const { tap } of this.#readers) {
      if (tap === undefined || tap.recalling) continue
      const acked: AmqpMessage[] = []
      while (tap.buffer.length > 0 && this.#open < maxOpen && !this.#alone) {
        const raw = tap.buffer[0]!
        if (this.#open > 0 && this.#openBytes + raw.content.length > maxOpenBytes) break
        if (countHeader(raw, 'x-delivery-count') >= SUSPICIOUS_COUNT && !ackBefore) {
          if (this.#open > 0) break
          this.#alone = true
        }
        tap.buffer.shift()
        this.#open++
        this.#openBytes += raw.content.length
        if (ackBefore) acked.push(raw)
        else void this.#handle(tap, raw)
      }
      if (acked.length > 0) void this.#settleFirst(tap, acked)
    }
  }

  /** At most once: acks, and lets the broker answer a later call on the same channel, before anything is handed on. */
  async #settleFirst(tap: Tap, messages: readonly AmqpMessage[]): Promise<void> {
    try {
      for (const raw of messages) tap.ack(raw)
      if (tap.live) await tap.channel.prefetch(Math.min(this.#subscription.maxOpen, 65_535))
    } catch (error) {
      tap.end(error as Error)
    }
    for (const raw of messages) {
      if (!tap.live) this.#leave(tap, raw)
      else {
        tap.open++
        void this.#ask(tap, raw).finally(() => {
          tap.open--
          this.#leave(tap, raw)
        })
      }
    }
  }

  async #handle(tap: Tap, raw: AmqpMessage): Promise<void> {
    tap.open++
    const { options } = this.#rooms
    const cancelHold = options.ports.timers.schedule(() => {
      tap.end(new TimeoutError(`a delivery of "${this.service}" was open for ${options.maxHoldMs} ms (maxHoldMs)`))
    }, options.maxHoldMs)
    try {
      await this.#settle(tap, raw, await this.#ask(tap, raw))
    } catch (error) {
      // nothing in here should throw; if it does, the channel gives the message back
      tap.end(error as Error)
    } finally {
      cancelHold()
      tap.open--
      this.#alone = false
      this.#leave(tap, raw)
      if (tap.recalling && tap.open === 0) tap.end(recall())
    }
  }

  #leave(_tap: Tap, raw: AmqpMessage): void {
    this.#open--
    this.#openBytes -= raw.content.length
    if (this.#open === 0) this.#whenIdle?.()
    this.#pump()
  }

  async #ask(tap: Tap, raw: AmqpMessage): Promise<Settlement> {
    try {
      return await this.#deliver({
        message: read(raw, {
          service: this.service,
          serviceQueue: this.#rooms.topology.serviceQueue(this.service),
        }),
        attempt: attemptOf(raw),
        recalled: tap.recalled.signal,
        signal: tap.lost.signal,
      })
    } catch (error) {
      this.#rooms.options.logger.error({ service: this.service, reason: reasonOf(error) }, 'deliver rejected')
      return { outcome: 'release' }
    }
  }

  async #settle(tap: Tap, raw: AmqpMessage, settlement: Settlement): Promise<void> {
    switch (settlement.outcome) {
      case 'ack':
        return tap.ack(raw)
      case 'release':
        if (this.#subscription.mode === 'ordered') tap.recall()
        else tap.giveBack(raw)
        return
      case 'requeue':
        await this.#copy(tap, raw, settlement.notes, settlement.delayMs)
        return
      case 'deadLetter':
        await this.#copy(tap, raw, settlement.notes, undefined)
    }
  }

  /** Copies first, then acks; tries for as long as the delivery is ours. */
  async #copy(tap: Tap, raw: AmqpMessage, notes: WireHeaders, delayMs: number | undefined): Promise<void> {
    const { publisher, options } = this.#rooms
    const destination = { kind: 'service' as const, name: this.service }
    for (let attempt = 0; tap.live && !this.#giveUp.signal.aborted; attempt++) {
      const { outgoing, needs } = this.#copyOf(tap, raw, notes, delayMs)
      try {
        await publisher.copy(outgoing, destination, needs)
        this.#copyProblem = undefined
        tap.ack(raw)
        return
      } catch (error) {
        if (needs !== undefined) publisher.forget(needs.key)
        this.#copyProblem = `a message of "${this.service}" stays open: ${(error as Error).message}`
        options.logger.error({ service: this.service, reason: reasonOf(error) }, 'copy of a failed message refused')
        // the notes made it too large for the wire: a short reason is better than none
        if (!publishFault(error).retryable) notes = shortened(notes)
        const boundMs = Math.min(30_000, 200 * 2 ** Math.min(attempt, 20))
        const waiting = AbortSignal.any([tap.lost.signal, this.#giveUp.signal])
        await sleep(options.ports.timers, boundMs * (0.5 + 0.5 * options.ports.random()), waiting).catch(() => {})
      }
    }
  }

  #copyOf(tap: Tap, raw: AmqpMessage, notes: WireHeaders, delayMs: number | undefined) {
    const { topology, options } = this.#rooms
    const { service } = this
    const attempts = { [OWN.attempts]: String(attemptOf(raw)) }
    const body = { content: raw.content, mandatory: true }
    if (delayMs === undefined) {
      const marks = { [OWN.handle]: options.ports.newId(), [OWN.parkedAt]: String(options.ports.clock.nowMs()) }
      const properties = copyProperties(raw, { ...notes, ...attempts, ...marks })
      const outgoing: Outgoing = { ...body, exchange: '', routingKey: topology.deadLetterQueue(service), properties }
      const key = `dead letters of ${service}`
      return {
        outgoing,
        needs: {
          key,
          declare: (session: Parameters<TopologyRoom['declareDeadLetters']>[0]) =>
            topology.declareDeadLetters(session, service),
        },
      }
    }
    const properties = copyProperties(raw, { ...notes, ...attempts })
    if (delayMs <= 0) {
      const outgoing: Outgoing = { ...body, exchange: '', routingKey: tap.queue, properties }
      return { outgoing, needs: undefined }
    }
    const stepMs = stepFor(options.retryStepsMs, delayMs)
    const name = waitName(stepMs)
    const outgoing: Outgoing = { ...body, exchange: name, routingKey: tap.queue, properties }
    return {
      outgoing,
      needs: {
        key: name,
        declare: (session: Parameters<TopologyRoom['declareWait']>[0]) => topology.declareWait(session, stepMs),
      },
    }
  }
}

/** Own rounds so far, plus what the broker counted since; classic queues only tell that there was an earlier one. */
function attemptOf(raw: AmqpMessage): number {
  const rounds = Number(ownHeader(raw, OWN.attempts) ?? 0)
  const counted = Math.max(countHeader(raw, 'x-delivery-count'), countHeader(raw, 'x-acquired-count'))
  const seen = Math.max(counted, raw.fields.redelivered === true ? 1 : 0)
  return (Number.isSafeInteger(rounds) && rounds > 0 ? rounds : 0) + 1 + seen
}

function shortened(notes: WireHeaders): WireHeaders {
  return Object.fromEntries(
    Object.entries(notes).map(([name, value]) => [name, typeof value === 'string' ? value.slice(0, 100) : value]),
  )
}

function recall(): Error {
  const reason = new Error('given back in order')
  reason.name = 'Recall'
  return reason
}
