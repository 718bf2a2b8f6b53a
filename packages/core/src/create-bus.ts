import type { BusContext } from './bus-context.ts'
import type { Bus, BusLimits, BusOptions, ServiceOptions, StopOptions } from './bus.ts'
import type { DataIn, Definition, RequestDefinition } from './definition.ts'
import { ClosedError, ConfigError, UnsupportedError } from './errors.ts'
import { Intake } from './intake.ts'
import { silentLogger } from './logger.ts'
import { encode, type SendOptions } from './message.ts'
import { Outgoing } from './outgoing.ts'
import type { Parked } from './parked.ts'
import { planService, SERVICE_DEFAULTS, type Plan } from './plan-service.ts'
import { systemPorts } from './ports.ts'
import { Requests } from './requests.ts'
import { retryPolicy } from './retry.ts'
import { RunningService, type RunningPart } from './service.ts'
import type { PartHealth } from './transport.ts'

const BUS_DEFAULTS = Object.freeze({ maxPendingRequests: 10_000, maxPendingPublishes: 10_000 })

/**
 * The way to talk and to listen: publishes, asks, and runs the handlers of services over one transport.
 * @example await using bus = createBus({ transport: memory(), source: '/billing' })
 * @throws {ConfigError} for a source or limit out of bounds
 */
export function createBus(options: BusOptions): Bus {
  const { transport, source } = options
  if (typeof source !== 'string' || source === '' || /\s/.test(source)) {
    throw new ConfigError('source is no URI reference: give the sender’s name, such as "/billing"')
  }
  const limits = limitsOf(options.limits)
  const ports = { ...systemPorts, ...options.ports }
  const outgoing = new Outgoing(transport, limits.maxPendingPublishes)
  const counters = { lateReplies: 0, expired: 0, unknownTypes: 0, deadLettered: 0, defects: 0 }
  const context: BusContext = {
    source,
    parked: options.parked,
    retry: options.retry ?? retryPolicy(),
    logger: options.logger ?? silentLogger,
    ports,
    outgoing,
    counters,
  }
  const requests = new Requests(ports, limits.maxPendingRequests, () => counters.lateReplies++)
  const instance = ports.newId()
  const services = new Map<string, Promise<RunningService>>()
  let stopping: Promise<void> | undefined

  const post = async <D extends Definition>(definition: D, data: DataIn<D>, given: SendOptions = {}) => {
    const message = await encode(definition, data, given, context)
    await outgoing.publish(message, { signal: given.signal, timeoutMs: given.timeoutMs })
    return message.id
  }

  const ask = async (definition: RequestDefinition, data: unknown, call: Parameters<Bus['request']>[2]) => {
    if (!(call.timeoutMs > 0))
      throw new ConfigError(`timeoutMs of a request is ${call.timeoutMs}: give milliseconds above 0`)
    const { timeoutMs, signal, headers } = call
    const ttlMs = Math.min(timeoutMs, definition.ttlMs ?? Infinity)
    const message = await encode(definition, data, { ttlMs, headers }, context)
    return await requests.call(definition, outgoing.carrierOf(definition.destination), call, (correlationId, replyTo) =>
      outgoing.publish({ ...message, correlationId, replyTo }, { signal, timeoutMs }),
    )
  }

  const stop = async ({ drainTimeoutMs }: StopOptions = {}) => {
    const running = await Promise.allSettled(services.values())
    await Promise.all(
      running.flatMap((result) => (result.status === 'fulfilled' ? [result.value.stop({ drainTimeoutMs })] : [])),
    )
    await requests.close()
    outgoing.close()
    await transport[Symbol.asyncDispose]()
  }

  const bus: Bus = {
    publish: post,
    send: post,
    request: ask as Bus['request'],
    async subscribe(service, routes, serviceOptions = {}) {
      if (stopping !== undefined) throw new ClosedError('subscribe on a stopped bus: make a new one')
      if (services.has(service)) {
        throw new ConfigError(`service "${service}" is subscribed already: give all its routes in one call`)
      }
      const plans = planService(service, routes, serviceOptions, outgoing, instance)
      const starting = start(service, plans, serviceOptions)
      services.set(service, starting)
      starting.catch(() => services.delete(service))
      return await starting
    },
    async health() {
      const carriers = await transport.health()
      const running = await Promise.allSettled(services.values())
      const own = running.flatMap((result) => (result.status === 'fulfilled' ? result.value.health() : []))
      return [...carriers, ...own] satisfies readonly PartHealth[]
    },
    stop: (stopOptions) => (stopping ??= stop(stopOptions)),
    stats: () => ({ ...counters, pendingRequests: requests.pending, pendingPublishes: outgoing.pending }),
    get parked(): Parked {
      const parked = options.parked ?? transport.parked
      if (parked !== undefined) return parked
      throw new UnsupportedError(`${transport.name} keeps no dead letters: give createBus a parked store`)
    },
    [Symbol.asyncDispose]: () => bus.stop(),
  }
  return Object.freeze(bus)

  async function start(
    service: string,
    plans: readonly Plan[],
    serviceOptions: ServiceOptions,
  ): Promise<RunningService> {
    const parts: RunningPart[] = []
    try {
      for (const plan of plans) parts.push(await subscribe(plan, serviceOptions))
    } catch (error) {
      await Promise.all(parts.map(({ subscription }) => subscription.stop({ drainTimeoutMs: 0 })))
      throw error
    }
    return new RunningService(parts, () => services.delete(service))
  }

  async function subscribe(
    { carrier, routes, assume, options: wanted }: Plan,
    given: ServiceOptions,
  ): Promise<RunningPart> {
    const { transport: own } = carrier
    if (own.capabilities.deadLetter !== true && context.parked === undefined && !wanted.ackBefore) {
      throw new ConfigError(`${own.name} keeps no dead letters: give createBus a parked store`)
    }
    const intake = new Intake(
      {
        service: wanted.service,
        routes,
        assume,
        concurrency: given.concurrency ?? SERVICE_DEFAULTS.concurrency,
        handlerTimeoutMs: given.handlerTimeoutMs ?? SERVICE_DEFAULTS.handlerTimeoutMs,
        maxOpen: wanted.maxOpen,
        ordered: wanted.mode === 'ordered',
        ackBefore: wanted.ackBefore,
        retry: given.retry ?? context.retry,
        capabilities: own.capabilities,
      },
      context,
    )
    await own.declare?.({
      destinations: routes.map(({ definition }) => definition.destination).filter(({ kind }) => kind === 'topic'),
      subscriptions: [{ service: wanted.service, sources: wanted.sources, mode: wanted.mode }],
    })
    const subscription = await own.subscribe(wanted, (delivery) => intake.deliver(delivery))
    intake.attach(subscription)
    return { intake, subscription }
  }
}

function limitsOf(given: BusLimits = {}) {
  const limits = {
    maxPendingRequests: given.maxPendingRequests ?? BUS_DEFAULTS.maxPendingRequests,
    maxPendingPublishes: given.maxPendingPublishes ?? BUS_DEFAULTS.maxPendingPublishes,
  }
  for (const [field, value] of Object.entries(limits)) {
    if (!(value >= 1)) throw new ConfigError(`limits.${field} is ${value}: give a number from 1, or Infinity`)
  }
  return limits
}
