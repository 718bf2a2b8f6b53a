import type { Capabilities } from './capabilities.ts'
import { ConfigError } from './errors.ts'
import type { Parked, ParkedMessage } from './parked.ts'
import type { Transport } from './transport.ts'
import type { Destination } from './wire-message.ts'

/** Several carriers behind one face; a bus subscribes on each carrier by itself. */
export interface RoutedTransport extends Transport {
  readonly carriers: Readonly<Record<string, Transport>>
}

/**
 * Gives a bus several carriers: a definition names its own by `destination.transport`.
 * @example createBus({ transport: route({ amqp: amqp({ url }), kafka: kafka({ brokers }) }), source: '/billing' })
 * @throws {ConfigError} without a carrier; on publish and subscribe, for a destination that names none of several, or an unknown one
 */
export function route(carriers: Readonly<Record<string, Transport>>): RoutedTransport {
  const names = Object.keys(carriers)
  if (names.length === 0) throw new ConfigError('route() has no carrier: give at least one, such as { amqp }')
  const all = Object.values(carriers)
  const of = (destination: Destination) => carriers[carrierName(names, destination)]!

  return {
    name: `route(${names.join(', ')})`,
    carriers: Object.freeze({ ...carriers }),
    capabilities: common(all.map(({ capabilities }) => capabilities)),
    publish: (messages, options) =>
      messages.map((message) => {
        try {
          return of(message.destination).publish([message], options)[0]!
        } catch (error) {
          return Promise.reject(error as Error)
        }
      }),
    async subscribe(options, deliver) {
      if (all.length === 1) return all[0]!.subscribe(options, deliver)
      // a source does not say where it lives; the bus, which knows the definitions, goes to the carriers directly
      throw new ConfigError(`"${options.service}" reads from a route of several carriers: subscribe through a bus`)
    },
    async health(options) {
      const parts = await Promise.all(all.map((carrier) => carrier.health(options)))
      return parts.flatMap((list, index) => list.map((part) => ({ ...part, part: `${names[index]!}: ${part.part}` })))
    },
    async declare(topology, options) {
      if (all.length > 1 && topology.subscriptions.length > 0) {
        throw new ConfigError('subscriptions on a route of several carriers are declared through a bus')
      }
      for (const [name, carrier] of Object.entries(carriers)) {
        const destinations = topology.destinations.filter((destination) => carrierName(names, destination) === name)
        await carrier.declare?.({ destinations, subscriptions: topology.subscriptions }, options)
      }
    },
    ...(all.some(({ parked }) => parked) && { parked: parkedOf(carriers) }),
    async [Symbol.asyncDispose]() {
      const results = await Promise.allSettled(all.map((carrier) => carrier[Symbol.asyncDispose]()))
      const failed = results.filter((result) => result.status === 'rejected').map(({ reason }) => reason as Error)
      if (failed.length > 0) throw failed.length === 1 ? failed[0]! : new AggregateError(failed, 'carriers not closed')
    },
  }
}

/** Which of several carriers a destination belongs to. */
export function carrierName(names: readonly string[], { name, transport }: Destination): string {
  if (transport === undefined && names.length === 1) return names[0]!
  if (transport !== undefined && names.includes(transport)) return transport
  const given = transport === undefined ? 'names no transport' : `names the transport "${transport}"`
  throw new ConfigError(`destination "${name}" ${given}: give destination.transport as one of ${names.join(', ')}`)
}

/** The carriers of a transport by name; one that is no route is its only carrier. */
export function carriersOf(transport: Transport): ReadonlyMap<string, Transport> {
  const { carriers } = transport as Partial<RoutedTransport>
  return carriers === undefined ? new Map([['', transport]]) : new Map(Object.entries(carriers))
}

/** What all of them do by themselves, and as well as the least of them. */
function common(all: readonly Capabilities[]): Capabilities {
  const [first = {}, ...others] = all
  const kept = Object.entries(first).filter(([name, value]) =>
    others.every((other) => other[name as keyof Capabilities] === value),
  )
  const result: Record<string, unknown> = Object.fromEntries(kept)
  for (const bound of ['maxBodyBytes', 'maxHeaderBytes', 'maxHoldMs', 'maxDelayMs'] as const) {
    const least = Math.min(...all.map((capabilities) => capabilities[bound] ?? Infinity))
    if (least < Infinity) result[bound] = least
  }
  return Object.freeze(result)
}

/** The dead letters of all carriers; handles begin with the carrier's name. */
function parkedOf(carriers: Readonly<Record<string, Transport>>): Parked {
  const each = (
    handles: readonly string[],
    act: (parked: Parked, handle: string) => readonly Promise<void>[],
  ): Promise<void>[] =>
    handles.map((handle) => {
      const [name = '', ...rest] = handle.split(':')
      const parked = carriers[name]?.parked
      if (parked === undefined) return Promise.reject(new ConfigError(`handle "${handle}" belongs to no carrier`))
      return act(parked, rest.join(':'))[0]!
    })
  return {
    async *list(filter, options) {
      for (const [name, { parked }] of Object.entries(carriers)) {
        if (parked === undefined) continue
        for await (const item of parked.list(filter, options)) {
          yield { ...item, handle: `${name}:${item.handle}` } satisfies ParkedMessage
        }
      }
    },
    replay: (handles, options) => each(handles, (parked, handle) => parked.replay([handle], options)),
    discard: (handles, reason, options) => each(handles, (parked, handle) => parked.discard([handle], reason, options)),
  }
}
