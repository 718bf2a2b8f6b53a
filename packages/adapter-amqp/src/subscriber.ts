import { ConnectionError, TimeoutError, UnsupportedError, reasonOf, sleep } from '@waybill/core'
import type { Capabilities, Delivery, Settlement, SubscribeOptions, Subscription } from '@waybill/core'
import type { AmqpMessage } from './client.ts'
import type { Link } from './connection.ts'
import { Copier } from './copier.ts'
import { crashesOf } from './crashes.ts'
import { Deadlines } from './deadlines.ts'
import type { ResolvedOptions } from './options.ts'
import type { ConfirmPublisher } from './publisher.ts'
import { QueueReader } from './reader.ts'
import { ShardClaims } from './shard-claims.ts'
import type { ShardSet } from './shards.ts'
import { Suspects } from './suspects.ts'
import type { Tap } from './tap.ts'
import type { QueuePlan } from './queue-plan.ts'
import type { TopologyRoom } from './topology.ts'
import { attemptOf, read } from './wire.ts'
import type { ReadContext } from './wire.ts'

/** What a subscription shares with its transport. */
export interface SubscriberRooms {
  readonly link: Link
  readonly publisher: ConfirmPublisher
  readonly options: ResolvedOptions
  readonly topology: TopologyRoom
}

type Deliver = (delivery: Delivery) => Promise<Settlement>

const DRAIN_TIMEOUT_MS = 10_000

/** The readers of one service, one window of open deliveries over all of them. */
export class AmqpSubscription implements Subscription {
  readonly capabilities: Capabilities
  readonly ended: Promise<Error | undefined>
  readonly service: string
  /** Where its messages wait. */
  readonly queues: readonly string[]
  readonly #rooms: SubscriberRooms
  readonly #subscription: SubscribeOptions
  readonly #deliver: Deliver
  readonly #readContext: ReadContext
  /** Those of undivided queues, from the start on. */
  readonly #whole: readonly QueueReader[]
  readonly #claims: readonly ShardClaims[]
  readonly #readers = new Set<QueueReader>()
  readonly #copier: Copier
  readonly #suspects: Suspects
  readonly #holds: Deadlines<{ readonly tap: Tap }>
  /** Aborts when what is still open has to be given up. */
  readonly #giveUp = new AbortController()
  #open = 0
  #openBytes = 0
  #paused = false
  #stopped: Promise<void> | undefined
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
    this.#holds = new Deadlines(rooms.options.ports.timers, ({ tap }, maxHoldMs) => {
      tap.end(new TimeoutError(`a delivery of "${this.service}" was open for ${maxHoldMs} ms (maxHoldMs)`))
    })
    this.#copier = new Copier(this.service, rooms, this.#giveUp.signal)
    this.ended = new Promise((resolve) => (this.#end = resolve))
    const { topology } = rooms
    this.#readContext = {
      service: this.service,
      serviceQueue: topology.serviceQueue(this.service),
      homeOf: (queue) => topology.homeOf(queue),
    }
    this.#suspects = this.#roomForSuspects()
    const plans = topology.plan(subscription)
    this.queues = plans.map(({ queue }) => queue)
    this.#whole = plans.filter(({ shards }) => shards === undefined).map((plan) => this.#openReader(plan))
    const sets = new Set(plans.flatMap(({ shards }) => shards ?? []))
    this.#claims = [...sets].map((set) => this.#claimsOf(set, plans))
  }

  /** Why this service reads nothing, or can't give up a message. */
  get problem(): string | undefined {
    for (const { problem } of [this.#copier, ...this.#claims, ...this.#readers])
      if (problem !== undefined) return problem
    return undefined
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
    const begun = Promise.all([...this.#whole, ...this.#claims].map((part) => part.start()))
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
    const unclaimed = Promise.all(this.#claims.map((claims) => claims.stop()))
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
    // together: what was just taken waits for the broker until its reader is stopped
    await Promise.all([unclaimed, ...[...this.#readers].map((reader) => reader.stop())])
    this.#holds.clear()
  }

  #openReader(plan: QueuePlan): QueueReader {
    const { link, options, topology } = this.#rooms
    const reader = new QueueReader(link, options, topology, this.#subscription, plan, {
      onMessage: (tap, raw) => {
        tap.buffer.push(raw)
        this.#pump()
      },
      whenReading: () => this.#whenReading(),
      onReading: (tap) => this.#suspects.lookFor(tap),
    })
    this.#readers.add(reader)
    return reader
  }

  #roomForSuspects(): Suspects {
    const { options, topology } = this.#rooms
    const isIdle = () => this.#open === 0
    const isReading = () => !this.#stopped && !this.#paused
    return new Suspects(
      this.#subscription,
      { options, topology, copier: this.#copier },
      {
        isIdle,
        isReading,
        enter: (raw) => this.#enter(raw),
        leave: (raw) => this.#leave(raw),
        handle: (tap, raw) => this.#handle(tap, raw, true),
        goOn: () => this.#pump(),
      },
    )
  }

  #claimsOf(set: ShardSet, plans: readonly QueuePlan[]): ShardClaims {
    const own = plans.filter(({ shards }) => shards === set)
    return new ShardClaims(set, own, this.#rooms, {
      open: (plan) => this.#openReader(plan),
      leave: async (reader) => {
        await reader.leave()
        this.#readers.delete(reader)
      },
    })
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
      for (const reader of this.#readers) if (reader.tap === tap) await reader.consume(tap)
    } catch (error) {
      tap.end(error as Error)
    }
  }

  #whenReading(): Promise<void> {
    if (!this.#paused || this.#stopped) return Promise.resolve()
    return new Promise((resolve) => this.#resumed.push(resolve))
  }

  /** Hands on what there is room for, one of each queue in turn. */
  #pump(): void {
    if (this.#stopped || this.#paused) return
    let acked: Map<Tap, AmqpMessage[]> | undefined
    for (const reader of this.#readers) {
      const { tap } = reader
      if (tap === undefined || !this.#mayBegin(tap)) continue
      const raw = tap.buffer.shift()!
      this.#enter(raw)
      // to the end of the line, where this loop comes to it again
      this.#readers.delete(reader)
      this.#readers.add(reader)
      if (!this.#subscription.ackBefore) void this.#handle(tap, raw)
      else {
        acked ??= new Map<Tap, AmqpMessage[]>()
        acked.set(tap, [...(acked.get(tap) ?? []), raw])
      }
    }
    if (acked !== undefined) for (const [tap, messages] of acked) void this.#settleFirst(tap, messages)
  }

  #mayBegin(tap: Tap): boolean {
    const { maxOpen, maxOpenBytes } = this.#subscription
    const raw = tap.buffer[0]
    if (raw === undefined || tap.recalling || this.#suspects.alone || this.#open >= maxOpen) return false
    if (this.#open > 0 && this.#openBytes + raw.content.length > maxOpenBytes) return false
    return !this.#suspects.holdBack(tap)
  }

  /** At most once: acks, and lets the broker answer a later call on the same channel, before anything is handed on. */
  async #settleFirst(tap: Tap, messages: readonly AmqpMessage[]): Promise<void> {
    try {
      for (const raw of messages) tap.ack(raw)
      tap.flush()
      if (tap.live) await tap.channel.prefetch(Math.min(this.#subscription.maxOpen, 65_535))
    } catch (error) {
      tap.end(error as Error)
    }
    for (const raw of messages) {
      if (!tap.live) this.#leave(raw)
      else {
        tap.open++
        void this.#ask(tap, raw).finally(() => {
          tap.open--
          this.#leave(raw)
        })
      }
    }
  }

  async #handle(tap: Tap, raw: AmqpMessage, suspect = false): Promise<void> {
    tap.open++
    const held = { tap }
    const holds = this.#holds.add(held, this.#rooms.options.maxHoldMs)
    try {
      const settlement = await this.#ask(tap, raw, suspect ? crashesOf(raw) : undefined)
      // what is given back is counted as if it had ended its process
      if (suspect && settlement.outcome === 'release') await this.#copier.move(tap, raw, { to: 'suspects' })
      else await this.#settle(tap, raw, settlement)
    } catch (error) {
      // nothing in here should throw; if it does, the channel gives the message back
      tap.end(error as Error)
    } finally {
      holds.delete(held)
      tap.open--
      this.#leave(raw)
      tap.endRecall()
    }
  }

  #enter(raw: AmqpMessage): void {
    this.#open++
    this.#openBytes += raw.content.length
  }

  #leave(raw: AmqpMessage): void {
    this.#open--
    this.#openBytes -= raw.content.length
    if (this.#open === 0) {
      this.#whenIdle?.()
      this.#suspects.idle()
    }
    this.#pump()
  }

  async #ask(tap: Tap, raw: AmqpMessage, crashes?: number): Promise<Settlement> {
    try {
      return await this.#deliver({
        message: read(raw, this.#readContext),
        attempt: attemptOf(raw),
        crashes,
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
        return this.#copier.move(tap, raw, { to: 'home', delayMs: settlement.delayMs, notes: settlement.notes })
      case 'deadLetter':
        return this.#copier.move(tap, raw, { to: 'deadLetters', notes: settlement.notes })
    }
  }
}
