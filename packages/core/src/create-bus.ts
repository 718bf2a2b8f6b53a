import { busHealth } from './bus-health.ts'
import type { BusContext } from './bus-context.ts'
import { resolveBusOptions, type BusSettings } from './bus-options.ts'
import type {
  Bus,
  BusOptions,
  BusStats,
  GatherOptions,
  RequestCallOptions,
  Service,
  ServiceOptions,
  StopOptions,
} from './bus.ts'
import { resolveCircuit } from './circuit.ts'
import type { CommandDefinition, DataIn, Definition, EventDefinition, RequestDefinition } from './definition.ts'
import { ClosedError, ConfigError, UnsupportedError } from './errors.ts'
import { gatherDestination } from './gather-destination.ts'
import {
  checkExpected,
  type Answers,
  type Expected,
  type GatherBounds,
  type Gathering,
  type Missing,
} from './gathering.ts'
import type { Route } from './handler.ts'
import { Intake } from './intake.ts'
import { encode, type SendOptions } from './message.ts'
import { Observer } from './observer.ts'
import { checkMiddleware } from './middleware/middleware.ts'
import { Outgoing, type Carrier } from './outgoing.ts'
import type { Parked } from './parked.ts'
import { TokenBucket } from './rate-limit.ts'
import { Requests, type Asking } from './requests.ts'
import type { InferOutput, Schema } from './schema.ts'
import { checkCapabilities, planService, SERVICE_DEFAULTS, type ServicePlan } from './service-plan.ts'
import { RunningService, type RunningPart } from './service.ts'
import { refuseInTransaction } from './transaction-scope.ts'
import type { PartHealth } from './transport.ts'
import { createTimeText } from './time-text.ts'
import type { Destination, WireMessage } from './wire-message.ts'

/**
 * Sends, asks and subscribes over a transport, which belongs to the bus from now on.
 * @example await using bus = createBus({ transport: memory(), source: '/billing' })
 * @throws {ConfigError} for a missing transport or source, or a limit out of bounds
 */
export function createBus(options: BusOptions): Bus {
  return new TransportBus(resolveBusOptions(options))
}

const ASK_BEFORE = 'ask before it begins, since it would stay open for as long as the answer takes'

class TransportBus implements Bus {
  readonly #settings: BusSettings
  readonly #startedMs: number
  readonly #context: BusContext
  readonly #requests: Requests
  readonly #services = new Map<string, RunningService | undefined>()
  readonly #topics = new WeakMap<RequestDefinition, Destination>()
  #stopping: Promise<void> | undefined

  constructor(settings: BusSettings) {
    const { transport, limits, ports } = settings
    const counters = { lateReplies: 0, expired: 0, unknownTypes: 0, deadLettered: 0, shedRequests: 0, defects: 0 }
    this.#settings = settings
    this.#startedMs = ports.clock.nowMs()
    const observer = new Observer(settings.telemetry, ports.clock)
    const outgoing = new Outgoing(transport, limits.maxPendingPublishes, observer, ports.clock)
    this.#context = { ...settings, outgoing, observer, counters, timeText: createTimeText() }
    this.#requests = new Requests(ports, limits.maxPendingRequests, observer, () =>
      observer.lateReply(++counters.lateReplies),
    )
  }

  get stats(): BusStats {
    return { ...this.#context.counters }
  }

  get parked(): Parked {
    const parked = this.#settings.parked ?? this.#settings.transport.parked
    if (parked !== undefined) return parked
    throw new UnsupportedError(
      `${this.#settings.transport.name} keeps no dead letters: give createBus the option parked`,
    )
  }

  publish<D extends EventDefinition>(event: D, data: DataIn<D>, options: SendOptions = {}): Promise<string> {
    return this.#send('publish', event, data, options)
  }

  send<D extends CommandDefinition>(command: D, data: DataIn<D>, options: SendOptions = {}): Promise<string> {
    return this.#send('send', command, data, options)
  }

  async request<S extends Schema, R extends Schema>(
    request: RequestDefinition<S, R>,
    data: DataIn<RequestDefinition<S, R>>,
    options: RequestCallOptions,
  ): Promise<InferOutput<R>> {
    refuseInTransaction('bus.request', ASK_BEFORE)
    checkTimeout(options)
    const { observer, outgoing } = this.#context
    if (!observer.watchesRequests) return await this.#ask(request, data, options)
    const { transport } = outgoing.carrierOf(request.destination)
    return await observer.request(request, transport.name, () => this.#ask(request, data, options))
  }

  async #ask<S extends Schema, R extends Schema>(
    request: RequestDefinition<S, R>,
    data: DataIn<RequestDefinition<S, R>>,
    options: RequestCallOptions,
  ): Promise<InferOutput<R>> {
    const { timeoutMs, signal } = options
    const { outgoing } = this.#context
    const message = await this.#question(request, data, options)
    return (await this.#requests.call({
      definition: request,
      carrier: outgoing.carrierOf(message.destination),
      timeoutMs,
      signal,
      send: (correlationId, replyTo) => outgoing.publish({ ...message, correlationId, replyTo }, { timeoutMs, signal }),
    })) as InferOutput<R>
  }

  gather<S extends Schema, R extends Schema, const E extends Expected = undefined>(
    request: RequestDefinition<S, R>,
    data: DataIn<RequestDefinition<S, R>>,
    options: GatherOptions<InferOutput<R>, E>,
  ): Gathering<InferOutput<R>, Missing<E>> {
    refuseInTransaction('bus.gather', ASK_BEFORE)
    checkTimeout(options)
    const { maxAnswers } = this.#settings.limits
    checkExpected(options.expect, maxAnswers)
    const { observer, outgoing } = this.#context
    const carrier = outgoing.carrierOf(request.destination)
    const { expect, until } = options
    const start = () =>
      this.#requests.gather(this.#askingMany(request, data, options, carrier), {
        expect,
        until,
        maxAnswers,
      } as GatherBounds)
    let gathering: Answers | undefined
    if (observer.watchesRequests) {
      const told = observer.request(request, carrier.transport.name, async () => await (gathering = start()))
      // whoever asked learns of it from the gathering
      told.catch(() => {})
    }
    return (gathering ?? start()) as Gathering<InferOutput<R>, Missing<E>>
  }

  #askingMany<S extends Schema>(
    request: RequestDefinition<S>,
    data: DataIn<RequestDefinition<S>>,
    options: RequestCallOptions,
    carrier: Carrier,
  ): Asking {
    const { timeoutMs, signal } = options
    const destination = this.#topicOf(request)
    const question = this.#question(request, data, options)
    // read when the reply address is open, which may be later than Node waits
    question.catch(() => {})
    const send = async (correlationId: string, replyTo: string) =>
      this.#context.outgoing.publish(
        { ...(await question), destination, correlationId, replyTo },
        { timeoutMs, signal },
      )
    return { definition: request, carrier, timeoutMs, signal, send }
  }

  async subscribe(service: string, routes: readonly Route[], options: ServiceOptions = {}): Promise<Service> {
    this.#refuseStopped('subscribe')
    if (this.#services.has(service)) {
      throw new ConfigError(`service "${service}" is subscribed already: give all its routes in one call`)
    }
    const plans = planService(service, routes, options, this.#context)
    const { rateLimit } = options
    const bucket = rateLimit && new TokenBucket(rateLimit, this.#context.ports.clock)
    // the name is taken at once: two calls at the same moment are two calls
    this.#services.set(service, undefined)
    const parts: RunningPart[] = []
    try {
      for (const plan of plans) parts.push(await this.#start(plan, options, bucket))
      // a stop that came meanwhile did not see these
      this.#refuseStopped('subscribe')
    } catch (error) {
      this.#services.delete(service)
      await Promise.all(parts.map(({ subscription }) => subscription.stop({ drainTimeoutMs: 0 })))
      throw error
    }
    const running = new RunningService(parts, this.#context.ports.clock, () => this.#services.delete(service))
    this.#services.set(service, running)
    return running
  }

  health(): Promise<readonly PartHealth[]> {
    const { outgoing, ports } = this.#context
    const services = [...this.#services.values()].flatMap((service) => service?.health() ?? [])
    const refusing = [outgoing.refusing, this.#requests.refusing]
    const times = { startedMs: this.#startedMs, clock: ports.clock }
    return busHealth([...outgoing.carriers.values()], services, refusing, times)
  }

  stop({ drainTimeoutMs = SERVICE_DEFAULTS.drainTimeoutMs }: StopOptions = {}): Promise<void> {
    return (this.#stopping ??= this.#stop(drainTimeoutMs))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #stop(drainTimeoutMs: number): Promise<void> {
    const services = [...this.#services.values()]
    // handlers that still run may publish and ask until they are done
    await Promise.all(services.flatMap((service) => (service === undefined ? [] : [service.stop({ drainTimeoutMs })])))
    this.#context.outgoing.close()
    await this.#requests.close()
    await this.#settings.transport[Symbol.asyncDispose]()
  }

  async #question<S extends Schema>(
    request: RequestDefinition<S>,
    data: DataIn<RequestDefinition<S>>,
    { timeoutMs, headers }: RequestCallOptions,
  ): Promise<WireMessage> {
    const ttlMs = Math.min(timeoutMs, request.ttlMs ?? Infinity)
    return await encode(request, data, { headers, ttlMs }, this.#context)
  }

  /** One object for each definition: what is declared is known by it. */
  #topicOf(request: RequestDefinition): Destination {
    let topic = this.#topics.get(request)
    if (topic === undefined) this.#topics.set(request, (topic = gatherDestination(request.destination)))
    return topic
  }

  #send(call: 'publish' | 'send', definition: Definition, data: unknown, options: SendOptions): Promise<string> {
    const { outgoing } = this.#context
    try {
      if (options.outbox !== 'bypass') {
        refuseInTransaction(`bus.${call}`, "publish through the outbox, or give the option outbox: 'bypass'")
      }
      const message = encode(definition, data, options, this.#context)
      if (message instanceof Promise) return message.then((encoded) => outgoing.publish(encoded, options))
      return outgoing.publish(message, options)
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  async #start(plan: ServicePlan, options: ServiceOptions, bucket: TokenBucket | undefined): Promise<RunningPart> {
    const { carrier, routes, options: wanted } = plan
    const { transport } = carrier
    const { handlerTimeoutMs = SERVICE_DEFAULTS.handlerTimeoutMs, assume } = options
    const needs = { handlerTimeoutMs, parks: this.#settings.parked !== undefined }
    checkCapabilities(plan, transport.capabilities, needs)
    const intake = new Intake(
      {
        service: wanted.service,
        transport: transport.name,
        answersAs: plan.answersAs,
        routes,
        assume: assume && routes.find(({ definition }) => definition.wireType === assume.wireType),
        concurrency: options.concurrency ?? SERVICE_DEFAULTS.concurrency,
        circuit: resolveCircuit(options.circuit),
        bucket,
        maxCrashes: options.maxCrashes ?? SERVICE_DEFAULTS.maxCrashes,
        maxWaiting: options.maxWaiting ?? SERVICE_DEFAULTS.maxWaiting,
        handlerTimeoutMs,
        maxOpen: wanted.maxOpen,
        ordered: wanted.mode === 'ordered',
        ackBefore: wanted.ackBefore,
        retry: options.retry ?? this.#settings.retry,
        middleware: [...this.#settings.middleware, ...checkMiddleware(options.middleware)],
        capabilities: transport.capabilities,
      },
      this.#context,
    )
    // a queue comes with the subscription, which says how it is made
    const destinations = routes.map(({ definition }) => definition.destination).filter(({ kind }) => kind === 'topic')
    await transport.declare?.({ destinations, subscriptions: [wanted] })
    const subscription = await transport.subscribe(wanted, (delivery) => intake.deliver(delivery))
    try {
      checkCapabilities(plan, subscription.capabilities, needs)
    } catch (error) {
      await subscription.stop({ drainTimeoutMs: 0 })
      throw error
    }
    intake.attach(subscription)
    return { intake, subscription }
  }

  #refuseStopped(what: string): void {
    if (this.#stopping !== undefined) throw new ClosedError(`${what} on a stopped bus: make a new one`)
  }
}

function checkTimeout({ timeoutMs }: RequestCallOptions): void {
  if (timeoutMs > 0 && timeoutMs <= 2 ** 31 - 1) return
  throw new ConfigError(`timeoutMs of a request is ${timeoutMs}: give milliseconds above 0 and below 24 days`)
}
