import type { ServiceOptions } from './bus.ts'
import type { Capabilities } from './capabilities.ts'
import type { Definition } from './definition.ts'
import { ConfigError, UnsupportedError } from './errors.ts'
import type { Route } from './handler.ts'
import type { Carrier, Outgoing } from './outgoing.ts'
import type { Source, SubscribeOptions } from './transport.ts'

export const SERVICE_DEFAULTS = Object.freeze({
  concurrency: 10,
  handlerTimeoutMs: 30_000,
  drainTimeoutMs: 10_000,
  maxOpenBytes: 64 * 1024 * 1024,
})

/** One subscription to be: the routes of a service that live on one carrier and are acked alike. */
export interface Plan {
  readonly carrier: Carrier
  readonly options: SubscribeOptions
  readonly routes: readonly Route[]
  /** Handles messages of foreign producers, which come without a type. */
  readonly assume: Route | undefined
}

/**
 * One subscription per carrier for all routes of a service (R8); at-most-once ones under a name of their own.
 * @throws {ConfigError} for no route, two routes of one type, or an option out of bounds
 * @throws {UnsupportedError} for what the carrier can't do
 */
export function planService(
  service: string,
  routes: readonly Route[],
  options: ServiceOptions,
  outgoing: Outgoing,
  instance: string,
): readonly Plan[] {
  checkService(service, routes, options)
  const groups = new Map<string, { carrier: Carrier; once: boolean; routes: Route[] }>()
  for (const route of routes) {
    const carrier = outgoing.carrierOf(route.definition.destination)
    const once = route.definition.delivery === 'at-most-once'
    const key = JSON.stringify([carrier.name, once])
    const group = groups.get(key) ?? { carrier, once, routes: [] }
    group.routes.push(route)
    groups.set(key, group)
  }
  const plans = [...groups.values()].map(({ carrier, once, routes: own }): Plan => {
    const name = [service, ...(once ? ['once'] : []), ...(options.broadcast ? [instance] : [])].join('.')
    return {
      carrier,
      routes: own,
      assume: assumed(own, options.assume),
      options: {
        service: name,
        sources: sourcesOf(own.map(({ definition }) => definition)),
        mode: options.broadcast
          ? 'broadcast'
          : own.some(({ definition }) => definition.orderingKey)
            ? 'ordered'
            : 'compete',
        ackBefore: once,
        maxOpen: windowFor(options.concurrency ?? SERVICE_DEFAULTS.concurrency),
        maxOpenBytes: SERVICE_DEFAULTS.maxOpenBytes,
        start: options.start ?? (options.broadcast ? 'latest' : 'earliest'),
      },
    }
  })
  for (const plan of plans) refuseUnsupported(plan, plan.carrier.transport.capabilities)
  return plans
}

/** How much is taken ahead: enough to find work for every handler among keys that wait. (R10) */
const windowFor = (concurrency: number): number => Math.max(64, 4 * concurrency)

function checkService(
  service: string,
  routes: readonly Route[],
  { concurrency, handlerTimeoutMs }: ServiceOptions,
): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(service)) {
    throw new ConfigError(`service ${JSON.stringify(service)}: give 1 to 100 letters, digits, '.', '_' or '-'`)
  }
  if (routes.length === 0) throw new ConfigError(`service "${service}" has no route: give at least one`)
  const types = new Set<string>()
  for (const { definition } of routes) {
    if (types.has(definition.wireType)) {
      throw new ConfigError(`service "${service}" has two routes for "${definition.wireType}": give one`)
    }
    types.add(definition.wireType)
  }
  if (concurrency !== undefined) checkConcurrency(concurrency)
  if (handlerTimeoutMs !== undefined && !(handlerTimeoutMs > 0)) {
    throw new ConfigError(`handlerTimeoutMs of "${service}" is ${handlerTimeoutMs}: give milliseconds above 0`)
  }
}

/** @throws {ConfigError} unless it is a whole number from 1 */
export function checkConcurrency(concurrency: number): void {
  if (!Number.isSafeInteger(concurrency) || concurrency < 1) {
    throw new ConfigError(`concurrency is ${concurrency}: give a whole number from 1`)
  }
}

function assumed(routes: readonly Route[], definition: Definition | undefined): Route | undefined {
  return definition && routes.find((route) => route.definition.wireType === definition.wireType)
}

/** What the definitions travel on, each source once; one definition without a subject reads all of its source. */
function sourcesOf(definitions: readonly Definition[]): readonly Source[] {
  const sources = new Map<string, { kind: Source['kind']; name: string; subjects: Set<string> | undefined }>()
  for (const { destination } of definitions) {
    const { kind, name, subject } = destination
    const key = JSON.stringify([kind, name])
    const source = sources.get(key)
    if (source === undefined)
      sources.set(key, { kind, name, subjects: subject === undefined ? undefined : new Set([subject]) })
    else if (subject === undefined) source.subjects = undefined
    else source.subjects?.add(subject)
  }
  return [...sources.values()].map(({ kind, name, subjects }) => ({
    kind,
    name,
    ...(subjects && { subjects: [...subjects] }),
  }))
}

function refuseUnsupported({ options, carrier }: Plan, capabilities: Capabilities): void {
  const refuse = (what: string): never => {
    throw new UnsupportedError(`service "${options.service}": ${carrier.transport.name} can not ${what}`)
  }
  if (options.mode === 'broadcast' && capabilities.broadcast !== true) refuse('give each instance a copy')
  if (options.mode === 'ordered' && capabilities.order === undefined) refuse('keep the order of a key')
  if (options.ackBefore && capabilities.ackBefore !== true) refuse('acknowledge before the handler (at most once)')
  if (typeof options.start === 'object' && capabilities.replay !== true) refuse('start at a time or position')
}
