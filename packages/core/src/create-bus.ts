import { Asker } from './asker.ts'
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
import type { CommandDefinition, DataIn, Definition, EventDefinition, RequestDefinition } from './definition.ts'
import { ClosedError, ConfigError, UnsupportedError } from './errors.ts'
import type { Expected, Gathering, Missing } from './gathering.ts'
import type { Route } from './handler.ts'
import { encode, type SendOptions } from './message.ts'
import { Observer } from './observer.ts'
import { Outgoing } from './outgoing.ts'
import type { Parked } from './parked.ts'
import { TokenBucket } from './rate-limit.ts'
import type { InferOutput, Schema } from './schema.ts'
import { planService, SERVICE_DEFAULTS } from './service-plan.ts'
import { RunningService, type RunningPart } from './service.ts'
import { startPart } from './start-part.ts'
import { refuseInTransaction } from './transaction-scope.ts'
import type { PartHealth } from './transport.ts'
import { createTimeText } from './time-text.ts'

/**
 * Sends, asks and subscribes over a transport, which belongs to the bus from now on.
 * @example await using bus = createBus({ transport: memory(), source: '/billing' })
 * @throws {ConfigError} for a missing transport or source, or a limit out of bounds
 */
export function createBus(options: BusOptions): Bus {
  return new TransportBus(resolveBusOptions(options))
}

class TransportBus implements Bus {
  readonly #settings: BusSettings
  readonly #startedMs: number
  readonly #context: BusContext
  readonly #asker: Asker
  readonly #services = new Map<string, RunningService | undefined>()
  #stopping: Promise<void> | undefined

  constructor(settings: BusSettings) {
    const { transport, limits, ports } = settings
    const counters = { lateReplies: 0, expired: 0, unknownTypes: 0, deadLettered: 0, shedRequests: 0, defects: 0 }
    this.#settings = settings
    this.#startedMs = ports.clock.nowMs()
    const observer = new Observer(settings.telemetry, ports.clock)
    const outgoing = new Outgoing(transport, limits.maxPendingPublishes, observer, ports.clock)
    this.#context = { ...settings, outgoing, observer, counters, timeText: createTimeText() }
    this.#asker = new Asker(this.#context, limits)
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

  request<S extends Schema, R extends Schema>(
    request: RequestDefinition<S, R>,
    data: DataIn<RequestDefinition<S, R>>,
    options: RequestCallOptions,
  ): Promise<InferOutput<R>> {
    return this.#asker.request(request, data, options)
  }

  gather<S extends Schema, R extends Schema, const E extends Expected = undefined>(
    request: RequestDefinition<S, R>,
    data: DataIn<RequestDefinition<S, R>>,
    options: GatherOptions<InferOutput<R>, E>,
  ): Gathering<InferOutput<R>, Missing<E>> {
    return this.#asker.gather(request, data, options)
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
      for (const plan of plans) parts.push(await startPart(plan, options, bucket, this.#context, this.#settings))
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
    const refusing = [outgoing.refusing, this.#asker.refusing]
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
    await this.#asker.close()
    await this.#settings.transport[Symbol.asyncDispose]()
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

  #refuseStopped(what: string): void {
    if (this.#stopping !== undefined) throw new ClosedError(`${what} on a stopped bus: make a new one`)
  }
}
