import { DurableBroker } from './broker/durable-broker.ts'
import type { BrokerObserver } from './broker/observer.ts'
import { Chance } from './chance.ts'
import { Database } from './database.ts'
import { Double, SERVICES, type ServiceName } from './definitions.ts'
import { Faults } from './faults.ts'
import { DeliveryJudge } from './judges/delivery-judge.ts'
import { OrderJudge } from './judges/order-judge.ts'
import { PromiseJudge } from './judges/promise-judge.ts'
import { StoreJudge } from './judges/store-judge.ts'
import { Verdicts } from './judges/verdicts.ts'
import { drawPlan, type Intent, type Plan, type ProcessPlan } from './plan.ts'
import { askAll } from './process/asking.ts'
import { operate, startAll } from './process/operating.ts'
import { ParkingLot } from './process/parking-lot.ts'
import { publishAll } from './process/publishing.ts'
import { SimulatedProcess } from './process/simulated-process.ts'
import type { ProcessWorld } from './process/process-world.ts'
import { Scheduler, type Owner } from './scheduler.ts'
import type { SimulationOptions } from './simulation-options.ts'
import { Trace } from './trace.ts'

/** Everything of one simulation: what survives crashes, the processes of now, and the judges. */
export class World implements ProcessWorld {
  readonly options: SimulationOptions
  readonly chance: Chance
  readonly trace: Trace
  readonly plan: Plan
  readonly scheduler: Scheduler
  readonly faults: Faults
  readonly database: Database
  readonly broker: DurableBroker
  readonly parkingLot: ParkingLot
  readonly verdicts = new Verdicts()
  readonly deliveries: DeliveryJudge
  readonly order: OrderJudge
  readonly promises: PromiseJudge
  readonly stores: StoreJudge
  readonly processes = new Map<string, SimulatedProcess>()
  readonly #owner: Owner = { name: 'world', alive: true }
  readonly #outboxes = new Map<string, Intent[]>()
  readonly #requests = new Map<string, { count: number }>()
  readonly #incarnations = new Map<string, number>()
  /** Processes that are on their way up. */
  #starting = 0

  constructor(seed: number, options: SimulationOptions) {
    this.options = options
    this.chance = new Chance(seed, 'simulation')
    this.trace = new Trace(options.keepTrace === true)
    this.plan = drawPlan(this.chance)
    this.scheduler = new Scheduler(this.chance, this.trace)
    this.faults = new Faults(this.chance, this.plan.rates)
    this.order = new OrderJudge(this.verdicts)
    this.promises = new PromiseJudge(this.verdicts)
    this.database = new Database(this.scheduler, this.chance, (service, id) => {
      this.trace.add(`effect of ${id} at ${service}`)
      this.order.effect(service, id)
    })
    this.parkingLot = new ParkingLot(this.scheduler, this.faults, (id) => this.order.excuse(id))
    const nowMs = () => this.scheduler.nowMs
    const isRequest = (type: string) => type === Double.wireType
    const isParked = (service: string, id: string) => this.parkingLot.holds(service, id)
    const hasEffect = (service: string, id: string) => this.database.has(service, id)
    const { profile, handlerTimeoutMs } = this.plan
    const { capabilities } = profile
    this.stores = new StoreJudge(this.verdicts, { nowMs, hasEffect, isParked, isRequest })
    this.deliveries = new DeliveryJudge(this.verdicts, {
      nowMs,
      step: () => this.scheduler.steps,
      handlerTimeoutMs,
      capabilities,
      countsAttempts: capabilities.requeue === 'native' && capabilities.attempts === 'exact',
      isRequest,
      isParked,
      knows: (service, type) => SERVICES[service as ServiceName]?.some(({ wireType }) => wireType === type) ?? false,
    })
    const owner: Owner = { name: 'broker', alive: true }
    const timers = { schedule: (action: () => void, ms: number) => this.scheduler.schedule(owner, action, ms) }
    this.broker = new DurableBroker({
      ports: { clock: { nowMs }, timers },
      faults: this.faults,
      profile,
      observer: this.#observer(),
    })
    for (const plan of this.plan.processes) this.#prepare(plan)
  }

  /** What a process has still to publish, which survives it. */
  outboxOf({ name }: ProcessPlan): Intent[] {
    return this.#outboxes.get(name)!
  }

  requestsOf({ name }: ProcessPlan): { count: number } {
    return this.#requests.get(name)!
  }

  start(): void {
    for (const plan of this.plan.processes) this.#start(plan)
  }

  /** A new process takes the place of one that has ended. */
  restart({ plan, name }: { readonly plan: ProcessPlan; readonly name: string }): void {
    if (this.processes.get(plan.name)?.name !== name) return
    this.processes.delete(plan.name)
    this.#starting++
    this.scheduler.schedule(
      this.#owner,
      () => {
        this.#starting--
        this.#start(plan)
      },
      this.chance.between(10, 3_000),
    )
  }

  /** Why not all is done yet. */
  *unfinished(): Generator<string> {
    if (this.#starting > 0) yield `${this.#starting} processes are starting`
    for (const { name, plan, services, stopping, connected } of this.processes.values()) {
      if (stopping) yield `${name} is stopping`
      if (!connected) yield `${name} has no connection`
      if (services.size < plan.services.length)
        yield `${name} runs ${services.size} of ${plan.services.length} services`
      const { length } = this.outboxOf(plan)
      if (length > 0) yield `${name} has ${length} messages to publish`
      if (this.requestsOf(plan).count > 0) yield `${name} has questions to ask`
    }
    for (const what of this.promises.open) yield `open: ${what}`
    for (const { service, message, state } of this.broker.unsettled()) yield `${message.id} is ${state} at ${service}`
  }

  #prepare({ name, outbox, requests }: ProcessPlan): void {
    this.#outboxes.set(name, [...outbox])
    this.#requests.set(name, { count: requests })
    for (const { id, data } of outbox) if (data.key !== undefined) this.order.sent(id, data.key, data.n)
  }

  #start(plan: ProcessPlan): void {
    const incarnation = this.#incarnations.get(plan.name) ?? 0
    this.#incarnations.set(plan.name, incarnation + 1)
    const process = new SimulatedProcess(plan, incarnation, this)
    this.trace.add(`${process.name} starts`)
    this.processes.set(plan.name, process)
    // a port is called in its very beginning already
    if (!process.alive) return this.restart(process)
    void startAll(process).then(() => operate(process))
    void publishAll(process)
    void askAll(process)
  }

  #observer(): BrokerObserver {
    return {
      published: (client, message) => this.deliveries.published(client, message),
      stored: ({ service, message }) => this.trace.add(`stored ${message.id} for ${service}`),
      confirmed: ({ id }) => this.stores.confirmed(id),
      overlapped: ({ id, orderingKey }) =>
        this.verdicts.add(`${id} was handed over while one of its key ${orderingKey!} had no answer`),
      handedOver: (handed) => {
        const { client, entry, delivery } = handed
        this.trace.add(`delivered ${entry.message.id} to ${entry.service} of ${client}, attempt ${delivery.attempt}`)
        this.deliveries.handedOver(handed)
      },
      settled: (handed, settlement) => {
        this.trace.add(
          `${settlement.outcome} of ${handed.entry.message.id} at ${handed.entry.service} of ${handed.client}`,
        )
        // whatever comes of the dead letter, those behind it go on now
        if (settlement.outcome === 'deadLetter') this.order.excuse(handed.entry.message.id)
        this.deliveries.settled(handed, settlement)
      },
      closed: (entry, how) => {
        this.trace.add(`closed ${entry.message.id} at ${entry.service}: ${how}`)
        this.stores.closed(entry, how)
      },
      event: (text) => this.trace.add(text),
    }
  }
}
