import { createHash } from 'node:crypto'
import type { BusContext } from './bus-context.ts'
import type { Capabilities } from './capabilities.ts'
import { compose, type Next } from './delivery/middleware.ts'
import { dropExpired } from './delivery/drop-expired.ts'
import { handle } from './delivery/handle.ts'
import { retrying, type RetryHost } from './delivery/retrying.ts'
import { timeLimit } from './delivery/time-limit.ts'
import type { Route } from './handler.ts'
import { Lanes, type Lane } from './lanes.ts'
import { Line, type LineState } from './line.ts'
import { writeNotes } from './notes.ts'
import { sleep } from './ports.ts'
import { reasonOf, type RetryPolicy } from './retry.ts'
import { routeTable } from './route-table.ts'
import type { Delivery, PartHealth, Settlement, Subscription } from './transport.ts'
import type { WireMessage } from './wire-message.ts'
import { Work } from './work.ts'

export interface IntakeOptions {
  readonly service: string
  readonly answersAs: string
  readonly routes: readonly Route[]
  readonly assume: Route | undefined
  readonly concurrency: number
  readonly handlerTimeoutMs: number
  readonly maxOpen: number
  readonly ordered: boolean
  readonly ackBefore: boolean
  readonly retry: RetryPolicy
  readonly capabilities: Capabilities
}

const RELEASE: Settlement = Object.freeze({ outcome: 'release' })
const ACK: Settlement = Object.freeze({ outcome: 'ack' })
const UNKNOWN_FOR_MS = 600_000
const UNKNOWN_STEP_MS = 10_000
const PARK_FIRST_MS = 100
const PARK_MAX_MS = 10_000

/** All that one subscription delivers: takes it in, lets it run in its lane, and gives back the settlement. */
export class Intake implements RetryHost {
  readonly policy: RetryPolicy
  readonly ports: BusContext['ports']
  readonly #context: BusContext
  readonly #options: IntakeOptions
  readonly #routes: ReadonlyMap<string, Route>
  readonly #lanes: Lanes<Work>
  readonly #line: Line
  readonly #run: Next
  readonly #held = new Set<Work>()
  /** Messages between two tries, and how to end their wait. */
  readonly #backingOff = new Map<Work, () => void>()
  readonly #watched = new WeakSet<AbortSignal>()
  #capabilities: Capabilities
  #subscription: Subscription | undefined
  #concurrency: number
  #paused = false
  #stopped = false
  #parkingSince: number | undefined

  constructor(options: IntakeOptions, context: BusContext) {
    this.#options = options
    this.#context = context
    this.ports = context.ports
    this.policy = options.retry
    this.#capabilities = options.capabilities
    this.#concurrency = options.concurrency
    this.#routes = routeTable(options.routes)
    this.#lanes = new Lanes(options.concurrency)
    this.#line = new Line(context.ports, (state) => this.#onLine(state))
    const { service, answersAs, handlerTimeoutMs } = options
    this.#run = compose(
      [
        dropExpired(context.ports.clock, () => context.counters.expired++),
        ...(options.ackBefore ? [] : [retrying(this)]),
        timeLimit(handlerTimeoutMs, context.ports.timers),
      ],
      handle({
        service,
        answersAs,
        source: context.source,
        logger: context.logger,
        outgoing: context.outgoing,
        ports: context.ports,
      }),
    )
  }

  /** Called once the carrier has answered; deliveries may have come before. */
  attach(subscription: Subscription): void {
    this.#subscription = subscription
    this.#capabilities = subscription.capabilities
    if (!this.#open) subscription.pause?.()
  }

  deliver(delivery: Delivery): Promise<Settlement> {
    return new Promise((resolve) => {
      const exact = this.#capabilities.requeue === 'native' && this.#capabilities.attempts === 'exact'
      const work = new Work(delivery, (message) => this.#routeOf(message), exact, resolve)
      if (delivery.recalled.aborted || this.#stopped) return resolve(RELEASE)
      if (!this.#open && this.#subscription?.pause !== undefined) return resolve(RELEASE)
      this.#watch(delivery.recalled)
      this.#watch(delivery.signal)
      this.#lanes.add(work.message.orderingKey, work)
      this.#pump()
    })
  }

  setConcurrency(concurrency: number): void {
    this.#concurrency = concurrency
    if (this.#line.state !== 'probing') this.#lanes.concurrency = concurrency
    this.#pump()
  }

  pause(): void {
    this.#paused = true
    this.#close()
  }

  resume(): void {
    this.#paused = false
    this.#reopen()
  }

  /** No more is started; what waits is given back. What runs goes on. */
  stop(): void {
    this.#stopped = true
    this.#line.close()
    this.#release(() => true)
  }

  health(): PartHealth {
    const part = `service ${this.#options.service}`
    if (this.#parkingSince !== undefined) {
      return { part, state: 'degraded', sinceMs: this.#parkingSince, reason: 'messages given up on can not be parked' }
    }
    const { state, sinceMs, reason } = this.#line
    if (state === 'running') return { part, state: 'up', sinceMs }
    return { part, state: 'degraded', sinceMs, reason: `stopped by a dependency: ${reason ?? 'unknown'}` }
  }

  // what the retry step asks

  get maxInPlaceMs(): number {
    return (this.#capabilities.maxHoldMs ?? Infinity) / 2
  }

  canRequeue({ message }: Work): boolean {
    return this.#capabilities.requeue !== undefined && !(this.#options.ordered && message.orderingKey !== undefined)
  }

  tryHold(work: Work): boolean {
    if (this.#held.size >= this.#options.maxOpen / 2) return false
    this.#held.add(work)
    return true
  }

  endHold(work: Work): void {
    this.#held.delete(work)
  }

  async backOff(work: Work, delayMs: number): Promise<void> {
    const { recalled, signal } = work.delivery
    recalled.throwIfAborted()
    signal.throwIfAborted()
    this.#lanes.suspend()
    await new Promise<void>((resolve) => {
      const again = () => {
        work.goOn = resolve
        this.#lanes.resume(work.lane!, work)
        this.#pump()
      }
      const cancel = delayMs > 0 ? this.ports.timers.schedule(again, delayMs) : undefined
      this.#backingOff.set(work, () => {
        cancel?.()
        work.goOn = undefined
        this.#lanes.resumeNow(work)
        resolve()
      })
      if (cancel === undefined) again()
      else this.#pump()
    })
    this.#backingOff.delete(work)
    recalled.throwIfAborted()
    signal.throwIfAborted()
  }

  stopTheLine(reason: string): 'release' | { readonly waitMs: number } {
    this.#line.stop(reason)
    // without pause the carrier would bring it back at once: it waits in its lane for the probe
    return this.#subscription?.pause === undefined ? { waitMs: 0 } : 'release'
  }

  requeue(work: Work, delayMs: number, reason: string): Settlement {
    const { maxDelayMs = Infinity } = this.#capabilities
    const notes = { ...this.#notesOf(work), rounds: work.notes.rounds + 1 }
    const headers = writeNotes(this.#options.service, notes, reason, this.ports.clock.nowMs())
    return { outcome: 'requeue', delayMs: Math.min(delayMs, maxDelayMs), notes: headers }
  }

  async deadLetter(work: Work, reason: string): Promise<Settlement> {
    const { service } = this.#options
    const nowMs = this.ports.clock.nowMs()
    const notes = writeNotes(service, this.#notesOf(work), reason, nowMs)
    const { id, type } = work.message
    this.#context.counters.deadLettered++
    this.#context.logger.error({ service, id, type, attempts: work.attempt - 1 }, 'message given up on')
    const store = this.#context.parked
    if (store === undefined) return { outcome: 'deadLetter', notes }
    const message = {
      ...work.message,
      headers: Object.assign(Object.create(null), work.message.headers, notes) as never,
    }
    const attempts = Math.max(1, work.attempt - 1)
    const item = { service, reason: notes['waybill-reason'] as string, attempts, parkedAtMs: nowMs, message }
    for (let waitMs = PARK_FIRST_MS; ; waitMs = Math.min(PARK_MAX_MS, waitMs * 2)) {
      try {
        await store.park([item])[0]
        this.#parkingSince = undefined
        return ACK
      } catch (error) {
        this.#parkingSince ??= this.ports.clock.nowMs()
        this.#context.logger.error({ service, id, reason: reasonOf(error) }, 'message not parked, will try again')
        // the delivery stays open until it is safe, or not ours any more
        await sleep(this.ports.timers, waitMs * (0.5 + this.ports.random() / 2), work.delivery.signal)
      }
    }
  }

  onFailure({ message: { id, type }, attempt }: Work, error: unknown): void {
    const { service } = this.#options
    this.#context.logger.warn({ service, id, type, attempt: attempt - 1, reason: reasonOf(error) }, 'handler failed')
  }

  // lanes

  get #open(): boolean {
    return !this.#paused && this.#line.state !== 'stopped'
  }

  #pump(): void {
    while (this.#open || this.#stopped) {
      const taken = this.#lanes.take()
      if (taken === undefined) return
      const { lane, item: work } = taken
      const { goOn } = work
      if (goOn !== undefined) {
        work.goOn = undefined
        goOn()
      } else {
        work.lane = lane
        void this.#process(work, lane)
      }
    }
  }

  async #process(work: Work, lane: Lane<Work>): Promise<void> {
    let settlement = RELEASE
    try {
      settlement = await this.#outcomeOf(work)
      if (settlement.outcome === 'ack') this.#line.worked()
    } catch (error) {
      // only at most once, or a delivery that is not ours any more, comes here
      this.#context.counters.defects++
      const { id, type } = work.message
      this.#context.logger.error(
        { service: this.#options.service, id, type, reason: reasonOf(error) },
        'delivery failed',
      )
    }
    work.settle(settlement)
    this.#lanes.finish(lane)
    this.#pump()
  }

  #outcomeOf(work: Work): Promise<Settlement> {
    if (work.route === undefined) return this.#unknown(work)
    if (this.#identify(work)) return this.#run(work)
    return this.deadLetter(work, 'no id: give the service the option assume, or let the producer send one')
  }

  /** A foreign message without an id is known by its place, or by its content where foreign ones are expected (R9). */
  #identify(work: Work): boolean {
    if (work.message.id !== '') return true
    const { position } = work.delivery
    if (position === undefined && this.#options.assume === undefined) return false
    const content = () => createHash('sha256').update(work.message.body ?? '')
    work.message = { ...work.message, id: position ?? content().digest('hex') }
    return true
  }

  #routeOf({ type }: WireMessage): Route | undefined {
    return this.#routes.get(type) ?? (type === '' ? this.#options.assume : undefined)
  }

  /** A rolling deploy may be under way: wait for whoever knows it, uncounted, then give up (R9). */
  async #unknown(work: Work): Promise<Settlement> {
    this.#context.counters.unknownTypes++
    const nowMs = this.ports.clock.nowMs()
    const sinceMs = work.notes.unknownSinceMs ?? nowMs
    const reason = `unknown type "${work.message.type}": no route of "${this.#options.service}" handles it`
    work.notes = { ...work.notes, unknownSinceMs: sinceMs }
    if (nowMs - sinceMs < UNKNOWN_FOR_MS) {
      if (this.canRequeue(work)) {
        const headers = writeNotes(this.#options.service, this.#notesOf(work), reason, nowMs)
        return {
          outcome: 'requeue',
          delayMs: Math.min(UNKNOWN_STEP_MS, this.#capabilities.maxDelayMs ?? Infinity),
          notes: headers,
        }
      }
      if (this.tryHold(work)) {
        try {
          await this.backOff(work, Math.min(UNKNOWN_FOR_MS, this.maxInPlaceMs))
        } catch {
          return RELEASE
        } finally {
          this.endHold(work)
        }
      }
    }
    return await this.deadLetter(work, reason)
  }

  #notesOf(work: Work) {
    const firstFailedAtMs = work.notes.firstFailedAtMs ?? work.firstFailedAtMs
    return { ...work.notes, failures: work.failuresBefore + work.failures, firstFailedAtMs }
  }

  // the line and recalls

  #onLine(state: LineState): void {
    this.#lanes.concurrency = state === 'probing' ? 1 : this.#concurrency
    const { service } = this.#options
    if (state === 'stopped') {
      this.#context.logger.error(
        { service, reason: this.#line.reason },
        'a dependency is away: the service stops and probes',
      )
      return this.#close()
    }
    this.#reopen()
  }

  #close(): void {
    if (this.#subscription?.pause === undefined) return
    this.#subscription.pause()
    this.#release(() => true)
  }

  #reopen(): void {
    if (!this.#open) return
    this.#subscription?.resume?.()
    this.#pump()
  }

  /** Gives back what has not started. */
  #release(leaves: (work: Work) => boolean): void {
    for (const work of this.#lanes.extract(leaves)) work.settle(RELEASE)
    this.#pump()
  }

  /** What was taken back is not started, and what waits between two tries ends. */
  #sweep(): void {
    const takenBack = ({ delivery }: Work) => delivery.recalled.aborted || delivery.signal.aborted
    for (const [work, end] of [...this.#backingOff]) if (takenBack(work)) end()
    this.#release(takenBack)
  }

  #watch(signal: AbortSignal): void {
    if (this.#watched.has(signal)) return
    this.#watched.add(signal)
    signal.addEventListener('abort', () => this.#sweep(), { once: true })
  }
}
