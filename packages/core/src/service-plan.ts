import type { BusContext } from './bus-context.ts'
import type { ServiceOptions } from './bus.ts'
import type { Capabilities } from './capabilities.ts'
import { ConfigError, UnsupportedError } from './errors.ts'
import { gatherDestination } from './gather-destination.ts'
import type { Route } from './handler.ts'
import type { Carrier } from './outgoing.ts'
import type { Source, SubscribeOptions } from './transport.ts'

export const SERVICE_DEFAULTS = Object.freeze({
  concurrency: 10,
  maxWaiting: Infinity,
  maxCrashes: 3,
  handlerTimeoutMs: 30_000,
  start: 'earliest' as const,
  drainTimeoutMs: 10_000,
  maxOpenBytes: 64 * 1024 * 1024,
})

/** Messages that are held so that several batches can run at once. */
const MOST_IN_BATCHES = 1_000

/** One subscription to be: the routes of a service that live on one carrier and are acked alike. */
export interface ServicePlan {
  readonly carrier: Carrier
  /** The name that replies carry: the service's, with `broadcast` the instance's. */
  readonly answersAs: string
  readonly options: SubscribeOptions
  readonly routes: readonly Route[]
}

/**
 * Groups the routes of a service by carrier and way of acking, and names each group's subscription (R8).
 * @throws {ConfigError} for an option out of bounds, no routes, two for one type, or versions that differ in delivery
 */
export function planService(
  service: string,
  routes: readonly Route[],
  options: ServiceOptions,
  { outgoing, ports }: BusContext,
): readonly ServicePlan[] {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/.test(service)) {
    throw new ConfigError(`service ${JSON.stringify(service)}: give 1 to 200 letters, digits, '.', '_' or '-'`)
  }
  if (routes.length === 0)
    throw new ConfigError(`service "${service}" has no routes: give at least one on() or respond()`)
  const { concurrency = SERVICE_DEFAULTS.concurrency, broadcast = false } = options
  const { maxWaiting = SERVICE_DEFAULTS.maxWaiting } = options
  checkWaiting(maxWaiting)
  const { maxCrashes = SERVICE_DEFAULTS.maxCrashes } = options
  if (maxCrashes !== Infinity && !(Number.isSafeInteger(maxCrashes) && maxCrashes >= 1)) {
    throw new ConfigError(`maxCrashes is ${maxCrashes}: give a whole number from 1, or Infinity`)
  }
  // an instance that starts has no use for what was said before it was there
  const { start = broadcast ? 'latest' : SERVICE_DEFAULTS.start } = options
  checkConcurrency(concurrency)
  const seen = new Set<string>()
  const deliveries = new Map<string, string>()
  const groups = new Map<Carrier, { atLeastOnce: Route[]; atMostOnce: Route[] }>()
  for (const route of routes) {
    const { type, wireType, destination, delivery } = route.definition
    if (seen.has(wireType)) throw new ConfigError(`service "${service}" has two routes for "${wireType}": keep one`)
    seen.add(wireType)
    // two subscriptions would each get both versions
    if ((deliveries.get(type) ?? delivery) !== delivery) {
      throw new ConfigError(`versions of "${type}" in service "${service}" differ in delivery: give them the same`)
    }
    deliveries.set(type, delivery)
    const carrier = outgoing.carrierOf(destination)
    let group = groups.get(carrier)
    if (group === undefined) groups.set(carrier, (group = { atLeastOnce: [], atMostOnce: [] }))
    const once = delivery === 'at-most-once'
    group[once ? 'atMostOnce' : 'atLeastOnce'].push(route)
  }
  const base = broadcast ? `${service}.${ports.newId()}` : service
  const plan = (carrier: Carrier, routes: readonly Route[], ackBefore: boolean): ServicePlan => {
    const keyed = routes.some(({ definition }) => definition.orderingKey !== undefined)
    const mode = broadcast ? 'broadcast' : keyed ? 'ordered' : 'compete'
    return {
      carrier,
      answersAs: base,
      routes,
      options: {
        service: ackBefore ? `${base}.once` : base,
        sources: sourcesOf(routes),
        mode,
        ackBefore,
        maxOpen: windowFor(concurrency, maxWaiting, routes),
        maxOpenBytes: SERVICE_DEFAULTS.maxOpenBytes,
        start,
      },
    }
  }
  return [...groups].flatMap(([carrier, { atLeastOnce, atMostOnce }]) => [
    ...(atLeastOnce.length > 0 ? [plan(carrier, atLeastOnce, false)] : []),
    ...(atMostOnce.length > 0 ? [plan(carrier, atMostOnce, true)] : []),
  ])
}

/**
 * Refuses early what the carrier does not do; asked of the transport before, and of the subscription once it stands (R23).
 * @throws {UnsupportedError} @throws {ConfigError}
 */
export function checkCapabilities(
  { options, carrier }: Pick<ServicePlan, 'options' | 'carrier'>,
  has: Capabilities,
  { handlerTimeoutMs, parks }: { readonly handlerTimeoutMs: number; readonly parks: boolean },
): void {
  const { service, mode, ackBefore, start } = options
  const { name } = carrier.transport
  const refuse = (what: string) => {
    throw new UnsupportedError(`service "${service}": ${name} has no ${what}; choose another transport or definition`)
  }
  if (mode === 'ordered' && has.order === undefined) refuse('order of keys, which its definitions ask for')
  if (mode === 'broadcast' && has.broadcast !== true) refuse('broadcast')
  if (ackBefore && has.ackBefore !== true) refuse('delivery at most once')
  if (typeof start === 'object' && has.replay !== true) refuse('replay, which the option start asks for')
  if (!ackBefore && !parks && has.deadLetter !== true) {
    throw new ConfigError(`service "${service}": ${name} keeps no dead letters; give createBus the option parked`)
  }
  if (has.maxHoldMs !== undefined && handlerTimeoutMs >= has.maxHoldMs) {
    const bound = `below the ${has.maxHoldMs} ms for which ${name} leaves a delivery open`
    throw new ConfigError(`handlerTimeoutMs of "${service}" is ${handlerTimeoutMs}: give a value ${bound}`)
  }
}

/** The window that handlers are fed from; what is to be seen waiting must fit in it (R10). */
function windowFor(concurrency: number, maxWaiting: number, routes: readonly Route[]): number {
  const waiting = maxWaiting === Infinity ? 0 : concurrency + maxWaiting + 1
  const batches = routes.map((route) => (route.kind === 'batch' ? windowForBatches(concurrency, route.size) : 0))
  return Math.max(64, 4 * concurrency, waiting, ...batches)
}

/** One batch for each place and one that gathers, unless that is much; never less than one of each. */
function windowForBatches(concurrency: number, size: number): number {
  return Math.max(2 * size, Math.min((concurrency + 1) * size, MOST_IN_BATCHES))
}

function checkWaiting(maxWaiting: number): void {
  if (maxWaiting === Infinity || (Number.isSafeInteger(maxWaiting) && maxWaiting >= 0 && maxWaiting <= 10_000)) return
  throw new ConfigError(`maxWaiting is ${maxWaiting}: give a whole number from 0 to 10000, or Infinity`)
}

export function checkConcurrency(concurrency: number): void {
  if (!Number.isSafeInteger(concurrency) || concurrency < 1 || concurrency > 10_000) {
    throw new ConfigError(`concurrency is ${concurrency}: give a whole number from 1 to 10000`)
  }
}

function sourcesOf(routes: readonly Route[]): readonly Source[] {
  const sources = new Map<string, { kind: Source['kind']; name: string; subjects: Set<string> | undefined }>()
  const destinations = routes.flatMap(({ kind, definition: { destination } }) =>
    // whoever answers one also answers many
    kind === 'respond' ? [destination, gatherDestination(destination)] : [destination],
  )
  for (const { kind, name, subject } of destinations) {
    const known = sources.get(`${kind}/${name}`)
    if (known === undefined)
      sources.set(`${kind}/${name}`, { kind, name, subjects: subject === undefined ? undefined : new Set([subject]) })
    else if (subject === undefined) known.subjects = undefined
    else known.subjects?.add(subject)
  }
  return [...sources.values()].map(({ kind, name, subjects }) => ({
    kind,
    name,
    ...(subjects && { subjects: [...subjects] }),
  }))
}
