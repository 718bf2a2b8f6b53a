import { BackOffs } from './back-offs.ts'
import { Batch, type BatchRoute } from './batch.ts'
import type { BusContext } from './bus-context.ts'
import { IntakeContext, type IntakeOptions } from './intake-context.ts'
import { GatheringBatches } from './gathering-batches.ts'
import { Lanes } from './lanes.ts'
import type { LineState } from './line.ts'
import { deliveryPath } from './middleware/delivery-path.ts'
import { observe } from './middleware/observe.ts'
import type { Next, Outcome, Step } from './middleware/step.ts'
import { Overload } from './overload.ts'
import { RateGate } from './rate-limit.ts'
import { reasonOf } from './retry.ts'
import { Returned } from './returned.ts'
import { Solo } from './solo.ts'
import { RouteTable } from './route-table.ts'
import { Setbacks } from './setbacks.ts'
import type { Delivery, PartHealth, Settlement, Subscription } from './transport.ts'
import { unknownType } from './unknown-type.ts'
import { Valve } from './valve.ts'
import { Work } from './work.ts'

const ACK: Settlement = Object.freeze({ outcome: 'ack' })
const RELEASE: Settlement = Object.freeze({ outcome: 'release' })

/** All that one subscription delivers: takes it in, lets it run in its lane, and gives back the settlement. */
export class Intake {
  readonly #context: IntakeContext
  readonly #routes: RouteTable
  readonly #lanes: Lanes<Work>
  readonly #valve: Valve
  readonly #backOffs: BackOffs
  readonly #setbacks: Setbacks
  readonly #observe: Step
  readonly #overload: Overload
  readonly #rate: RateGate
  readonly #solo: Solo
  readonly #batches: GatheringBatches
  readonly #returned = new Returned()
  readonly #handle: Next
  readonly #respond: Next
  readonly #watched = new WeakSet<AbortSignal>()
  #concurrency: number
  #stopped = false

  constructor(options: IntakeOptions, bus: BusContext) {
    const context = (this.#context = new IntakeContext(options, bus))
    this.#concurrency = options.concurrency
    this.#routes = new RouteTable(options.routes, options.assume)
    this.#solo = new Solo(context, () => this.#lanes.running, {
      stopped: () => this.#stopped || !this.#valve.opensAlone,
      endWaits: (work) => this.#backOffs.end((other) => other !== work),
      close: () => {
        this.#valve.hold()
        this.#backOffs.end(() => true)
      },
      reopen: () => {
        this.#valve.letGo()
        this.#pump()
      },
    })
    const batches = options.routes.filter((route) => route.kind === 'batch')
    this.#lanes = batches.length === 0 ? new Lanes(options.concurrency) : new Lanes(options.concurrency, batchOf)
    this.#batches = new GatheringBatches(batches, this.#lanes, bus.ports.timers, () => this.#pump())
    this.#valve = new Valve(
      context,
      () => this.#release(() => true),
      (state) => this.#onOpen(state),
    )
    this.#backOffs = new BackOffs(context, this.#lanes, () => this.#pump())
    this.#setbacks = new Setbacks(context)
    this.#overload = new Overload(context, this.#lanes)
    this.#rate = new RateGate(options.bucket, bus.ports.timers, () => this.#pump())
    const parts = {
      context,
      valve: this.#valve,
      backOffs: this.#backOffs,
      setbacks: this.#setbacks,
      overload: this.#overload,
    }
    // what no route handles is seen all the same
    this.#observe = observe(context)
    const pathOf = deliveryPath(context, parts)
    this.#handle = pathOf('handle')
    this.#respond = pathOf('respond')
  }

  /** Called once the carrier has answered; deliveries may have come before. */
  attach(subscription: Subscription): void {
    this.#context.subscription = subscription
    this.#valve.attach()
  }

  deliver(delivery: Delivery): Promise<Settlement> {
    return new Promise((resolve) => {
      const work = new Work(delivery, this.#routes, this.#context.countsAttempts, resolve)
      if (delivery.recalled.aborted || this.#stopped || this.#valve.refuses) return resolve(RELEASE)
      this.#watch(delivery.recalled)
      this.#watch(delivery.signal)
      const reason = this.#overload.judge(work)
      if (reason === undefined) this.#enter(work)
      else void this.#shed(work, reason)
    })
  }

  setConcurrency(concurrency: number): void {
    this.#concurrency = concurrency
    if (this.#valve.line.state !== 'probing') this.#lanes.concurrency = concurrency
    this.#pump()
  }

  pause(): void {
    this.#valve.pause()
    this.#solo.check()
  }

  resume(): void {
    this.#valve.resume()
  }

  /** No more is started; what waits is given back. What runs goes on. */
  stop(): void {
    this.#stopped = true
    this.#valve.stop()
    this.#rate.close()
    this.#batches.close()
    this.#release(() => true)
  }

  health(): PartHealth {
    const part = `service ${this.#context.options.service}`
    const { parkingSinceMs } = this.#setbacks
    if (parkingSinceMs !== undefined) {
      return { part, state: 'degraded', sinceMs: parkingSinceMs, reason: 'messages given up on can not be parked' }
    }
    const { state, sinceMs, reason } = this.#valve.line
    if (state === 'running') return { part, state: 'up', sinceMs }
    return { part, state: 'degraded', sinceMs, reason }
  }

  #enter(work: Work): void {
    work.alone = this.#solo.suspects(work)
    this.#lanes.add(work.message.orderingKey, work)
    if (work.route?.kind === 'batch' && !work.alone) this.#batches.added(work.route)
    this.#pump()
  }

  async #shed(work: Work, reason: string): Promise<void> {
    if (await this.#overload.shed(work, reason)) return work.settle(ACK)
    // nobody was told, so it is served or dropped when its turn comes; what was taken back meanwhile never entered
    if (this.#stopped || this.#valve.refuses || isTakenBack(work)) return work.settle(RELEASE)
    this.#enter(work)
  }

  /** Starts what may start. */
  #pump(): void {
    while (this.#mayStart && this.#lanes.ready && this.#rate.allows()) {
      if (this.#solo.busy) {
        if (!this.#goOnAlone()) return
        continue
      }
      // batches first: they come only as often as they are full or due
      if (this.#batches.size > 0 && this.#startBatch()) continue
      const taken = this.#lanes.take()
      if (taken === undefined) return
      this.#rate.took(1)
      const { lane, item: work } = taken
      const { goOn } = work
      work.lane = lane
      if (goOn !== undefined) {
        work.goOn = undefined
        goOn()
      } else if (this.#solo.suspects(work)) void this.#solo.open(work, () => this.#process(work))
      else void this.#process(work)
    }
  }

  get #mayStart(): boolean {
    return this.#stopped || (this.#solo.busy ? this.#valve.opensAlone : this.#valve.open)
  }

  /** While one is opened alone, none but it goes on. */
  #goOnAlone(): boolean {
    const taken = this.#lanes.takeAgain()
    if (taken === undefined) return false
    this.#rate.took(1)
    const { goOn } = taken.item
    taken.item.goOn = undefined
    goOn?.()
    return true
  }

  #startBatch(): boolean {
    const next = this.#batches.take()
    if (next === undefined) return false
    this.#rate.took(next.taken.length)
    const onEnded: ConstructorParameters<typeof Batch<Work>>[2] = (alone, lanes) => {
      this.#lanes.finishGroup(
        lanes,
        alone.map(({ work, lane }) => ({ item: work, lane })),
      )
      // what waits alone came back after the rest was given back
      this.#release(this.#stopped || this.#valve.refuses ? () => true : isTakenBack)
    }
    const { definition } = next.route
    const { service, transport } = this.#context.options
    new Batch(next.route, next.taken, onEnded, (works, call) => {
      const messages = works.map(({ message }) => message)
      return this.#context.bus.observer.batch({ messages, definition, service, transport }, call)
    })
    for (const { item: work, lane } of next.taken) {
      work.lane = lane
      void this.#process(work)
    }
    return true
  }

  async #process(work: Work): Promise<void> {
    let settlement = RELEASE
    try {
      if (this.#returned.size > 0) this.#returned.restore(work)
      settlement = await this.#outcomeOf(work)
      if (settlement.outcome === 'ack') this.#valve.line.worked()
    } catch (error) {
      // only at most once, or a delivery that is not ours any more, comes here
      this.#context.bus.counters.defects++
      const { service } = this.#context.options
      const { id, type } = work.message
      this.#context.bus.logger.error({ service, id, type, reason: reasonOf(error) }, 'delivery failed')
    }
    if (settlement.outcome === 'release' || work.interrupted) this.#returned.remember(work)
    work.passes = isDone(settlement) || this.#context.options.ackBefore
    work.settle(settlement)
    if (settlement.outcome === 'release') this.#releaseBehind(work)
    if (work.batch !== undefined) return work.batch.settled(work)
    // one that was taken back while it waited had left its place
    if (work.lane !== undefined) this.#lanes.finish(work.lane)
    this.#solo.check()
    this.#pump()
  }

  #outcomeOf(work: Work): Outcome {
    if (work.givenBack) return RELEASE
    if (work.route === undefined) {
      return this.#observe(work, () => unknownType(work, this.#context, this.#setbacks, this.#backOffs))
    }
    if (work.message.id === '') {
      const identified = this.#routes.identify(work.message, work.delivery.position)
      const reason = 'no id: give the service the option assume, or let the producer send one'
      if (identified === undefined) return this.#observe(work, () => this.#setbacks.deadLetter(work, reason))
      work.message = identified
    }
    if (this.#solo.convicts(work)) {
      const reason = `open in ${work.delivery.crashes} processes that ended: its handling probably ends them`
      return this.#observe(work, () => this.#setbacks.deadLetter(work, reason))
    }
    return work.route.kind === 'respond' ? this.#respond(work) : this.#handle(work)
  }

  #onOpen(state: LineState): void {
    this.#lanes.concurrency = state === 'probing' ? 1 : this.#concurrency
    this.#pump()
  }

  /** Gives back what has not started. */
  #release(leaves: (work: Work) => boolean): void {
    for (const work of this.#lanes.extract(leaves)) {
      const { goOn } = work
      if (goOn === undefined) work.settle(RELEASE)
      else {
        work.goOn = undefined
        goOn()
      }
    }
    this.#solo.check()
    this.#pump()
  }

  /** The carrier recalls what is behind a released message of a key, but its word may come after their turn (R14). */
  #releaseBehind({ message: { orderingKey } }: Work): void {
    if (orderingKey === undefined || !this.#context.options.ordered) return
    this.#release(({ message }) => message.orderingKey === orderingKey)
  }

  /** What was taken back is not started, and what waits between two tries ends. */
  #sweep(): void {
    this.#backOffs.end(isTakenBack)
    this.#release(isTakenBack)
  }

  #watch(signal: AbortSignal): void {
    if (this.#watched.has(signal)) return
    this.#watched.add(signal)
    signal.addEventListener('abort', () => this.#sweep(), { once: true })
  }
}

function isTakenBack({ delivery }: Work): boolean {
  return delivery.recalled.aborted || delivery.signal.aborted
}

/** What a message is handled together with. */
function batchOf({ route, alone }: Work): BatchRoute | undefined {
  return route?.kind === 'batch' && !alone ? route : undefined
}

function isDone({ outcome }: Settlement): boolean {
  return outcome === 'ack' || outcome === 'deadLetter'
}
