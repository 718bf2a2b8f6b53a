import { ConnectionError, TimeoutError, UnsupportedError, reasonOf, sleep } from '@waybill/core'
import type { Capabilities, Delivery, Settlement, SubscribeOptions, Subscription } from '@waybill/core'
import type { AmqpMessage } from './client.ts'
import type { Link } from './connection.ts'
import { Copier } from './copier.ts'
import { crashesOf, isSuspect } from './crashes.ts'
import { Deadlines } from './deadlines.ts'
import type { ResolvedOptions } from './options.ts'
import type { ConfirmPublisher } from './publisher.ts'
import { QueueReader } from './reader.ts'
import type { Tap } from './tap.ts'
import type { TopologyRoom } from './topology.ts'
import { attemptOf, read } from './wire.ts'

/** What a subscription shares with its transport. */
export interface SubscriberRooms {
  readonly link: Link
  readonly publisher: ConfirmPublisher
  readonly options: ResolvedOptions
  readonly topology: TopologyRoom
}

/** What is done while nothing is open. */
interface Turn {
  readonly tap: Tap
  readonly first: () => Promise<void>
}

type Deliver = (delivery: Delivery) => Promise<Settlement>

/** How often to look for suspects that another instance left behind when it ended. */
const LOOK_EVERY_MS = 30_000
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
  readonly #copier: Copier
  readonly #holds: Deadlines<{ readonly tap: Tap }>
  /** Aborts when what is still open has to be given up. */
  readonly #giveUp = new AbortController()
  #open = 0
  #openBytes = 0
  /** Nothing is handed on but what is opened alone, by the turn that set it. */
  #alone: 'wanted' | 'now' | undefined
  #paused = false
  #stopped: Promise<void> | undefined
  #whenIdle: (() => void) | undefined
  #onAlone: (() => void) | undefined
  readonly #turns: Turn[] = []
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
    const { link, options, topology } = rooms
    const owner = {
      onMessage: (tap: Tap, raw: AmqpMessage) => {
        tap.buffer.push(raw)
        this.#pump()
      },
      whenReading: () => this.#whenReading(),
      onReading: (tap: Tap) => this.#lookForSuspects(tap),
    }
    this.#readers = topology
      .plan(subscription)
      .map((plan) => new QueueReader(link, options, topology, subscription, plan, owner))
  }

  /** Why this service reads nothing, or can't give up a message. */
  get problem(): string | undefined {
    return this.#copier.problem ?? this.#readers.find((reader) => reader.problem !== undefined)?.problem
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
    this.#holds.clear()
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
    if (this.#alone === 'wanted' && this.#open === 0) this.#onAlone?.()
    if (this.#stopped || this.#paused || this.#alone !== undefined) return
    const { maxOpen, maxOpenBytes } = this.#subscription
    for (const { tap } of this.#readers) {
      if (tap === undefined || tap.recalling) continue
      const acked: AmqpMessage[] = []
      while (tap.buffer.length > 0 && this.#open < maxOpen && this.#alone === undefined) {
        const raw = tap.buffer[0]!
        if (this.#open > 0 && this.#openBytes + raw.content.length > maxOpenBytes) break
        if (this.#holdsSuspects && isSuspect(raw)) {
          this.#openAlone({ tap, first: () => this.#moveAside(tap) })
          break
        }
        tap.buffer.shift()
        this.#open++
        this.#openBytes += raw.content.length
        if (this.#subscription.ackBefore) acked.push(raw)
        else void this.#handle(tap, raw)
      }
      if (acked.length > 0) void this.#settleFirst(tap, acked)
    }
  }

  /** Not where others declare what there is: a queue for suspects may be missing, and is no reason not to read. */
  get #holdsSuspects(): boolean {
    const { ackBefore, mode } = this.#subscription
    return !ackBefore && mode !== 'broadcast' && this.#rooms.options.topology !== 'none'
  }

  /** What earlier processes left among the suspects comes first, and again whenever it is time to look. */
  async #lookForSuspects(tap: Tap): Promise<void> {
    if (!this.#holdsSuspects) return
    const { timers } = this.#rooms.options.ports
    let cancel = () => {}
    const look = async () => {
      cancel = timers.schedule(() => void look().catch((error: Error) => tap.end(error)), LOOK_EVERY_MS)
      const { messageCount } = await tap.channel.checkQueue(this.#rooms.topology.suspectQueue(tap.queue))
      if (messageCount > 0) this.#openAlone({ tap, first: () => Promise.resolve() })
    }
    tap.lost.signal.addEventListener('abort', () => cancel(), { once: true })
    if (tap.live) await look()
  }

  /** Once nothing is open: does what comes first, then opens the suspects of the queue one after another. */
  #openAlone(turn: Turn): void {
    if (this.#alone !== undefined) {
      this.#turns.push(turn)
      return
    }
    this.#alone = 'wanted'
    this.#onAlone = () => {
      this.#alone = 'now'
      this.#onAlone = undefined
      void this.#openSuspects(turn)
    }
    if (this.#open === 0) this.#onAlone()
  }

  /** Counted where it lies, a message is to blame no more than its neighbours; among suspects it is counted alone. */
  async #moveAside(tap: Tap): Promise<void> {
    const raw = tap.buffer.shift()
    if (raw === undefined) return
    this.#open++
    try {
      await this.#copier.move(tap, raw, { to: 'suspects' })
    } finally {
      this.#open--
    }
  }

  async #openSuspects({ tap, first }: Turn): Promise<void> {
    try {
      await first()
      const queue = this.#rooms.topology.suspectQueue(tap.queue)
      while (tap.live && !this.#stopped && !this.#paused) {
        const raw = await tap.channel.get(queue)
        if (raw === false) break
        tap.took(raw)
        this.#rooms.options.logger.warn({ service: this.service, queue }, 'message opened alone')
        this.#open++
        this.#openBytes += raw.content.length
        await this.#handle(tap, raw, true)
        // the next one may end the process
        tap.flush()
      }
    } catch (error) {
      tap.end(error as Error)
    } finally {
      this.#alone = undefined
      if (this.#open === 0) this.#whenIdle?.()
      const next = this.#turns.shift()
      if (next !== undefined) this.#openAlone(next)
      this.#pump()
    }
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

  async #ask(tap: Tap, raw: AmqpMessage, crashes?: number): Promise<Settlement> {
    try {
      return await this.#deliver({
        message: read(raw, {
          service: this.service,
          serviceQueue: this.#rooms.topology.serviceQueue(this.service),
        }),
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

function recall(): Error {
  const reason = new Error('given back in order')
  reason.name = 'Recall'
  return reason
}
