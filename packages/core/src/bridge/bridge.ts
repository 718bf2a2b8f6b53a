import type { BusStats, Service, StopOptions } from '../bus.ts'
import { createBus } from '../create-bus.ts'
import type { Definition } from '../definition.ts'
import { UnrecoverableError } from '../errors.ts'
import type { Forwarder, Route } from '../handler.ts'
import { decode } from '../message.ts'
import type { Parked } from '../parked.ts'
import { retryPolicy } from '../retry.ts'
import { validate } from '../schema.ts'
import { subjectMatches } from '../subject.ts'
import type { PartHealth } from '../transport.ts'
import type { Destination, WireMessage } from '../wire-message.ts'
import { whatever, type Forward, type Origin } from './forward.ts'
import { checkBridgeOptions, type BridgeOptions } from './options.ts'
import { bridgePolicy } from './policy.ts'
import { Target } from './target.ts'

/** A running bridge in this process. */
export interface Bridge extends Service {
  health(): Promise<readonly PartHealth[]>
  /** The messages that the bridge gave up on. @throws {UnsupportedError} neither `parked` nor `from` keeps any */
  readonly parked: Parked
  readonly stats: BridgeStats
}

export interface BridgeStats extends Pick<BusStats, 'expired' | 'deadLettered'> {
  /** Messages that the far side has. */
  readonly forwarded: number
  /** Messages left where they are, because this link had brought them. */
  readonly returned: number
}

/** The attribute that names the links a message has come over. */
const OVER = 'bridges'
const CONCURRENCY = 100

/**
 * Moves messages from one transport to another, each acked only when the far side has it. Id, key, headers, attributes,
 * correlation, expiry and trace stay; the body stays too, unless `forward` names a definition to write it by.
 * @example await using running = await bridge({ name: 'to-kafka', from: amqp({ url }), to: kafka({ brokers }), routes: [forward(RentalBooked)] })
 * @throws {ConfigError} for what is missing, and for requests, whose reply address is of one carrier alone
 */
export async function bridge(options: BridgeOptions): Promise<Bridge> {
  checkBridgeOptions(options)
  const { name, from, to, link = name, retry = retryPolicy(), forwardTimeoutMs } = options
  const { parked, logger, telemetry, ports } = options
  const counts = { forwarded: 0, returned: 0 }
  const target = new Target(to)
  const bus = createBus({
    transport: from,
    source: `/bridge/${name}`,
    parked,
    retry: bridgePolicy(retry),
    logger,
    telemetry,
    ports,
  })
  const ordered = from.capabilities.order !== undefined
  const routes = options.routes.map((given) => routeOf(given, ordered, { target, link, counts }))
  let service: Service
  try {
    service = await bus.subscribe(name, routes, {
      concurrency: options.concurrency ?? CONCURRENCY,
      handlerTimeoutMs: forwardTimeoutMs,
      start: options.start,
      // what a source holds may have no id: then its content stands for one
      assume: options.assume ?? routes.find(({ definition }) => definition.wireType.startsWith('*'))?.definition,
    })
  } catch (error) {
    await Promise.allSettled([bus.stop(), target[Symbol.asyncDispose]()])
    throw error
  }
  let stopping: Promise<void> | undefined
  // the far side closes last: what is on its way over may still arrive
  const stop = (given?: StopOptions) => (stopping ??= bus.stop(given).then(() => target[Symbol.asyncDispose]()))
  return {
    setConcurrency: (concurrency) => service.setConcurrency(concurrency),
    pause: () => service.pause(),
    resume: () => service.resume(),
    ended: service.ended,
    health: () => bus.health(),
    stop,
    [Symbol.asyncDispose]: () => stop(),
    get parked() {
      return bus.parked
    },
    get stats() {
      const { expired, deadLettered } = bus.stats
      return { ...counts, expired, deadLettered }
    },
  }
}

interface Way {
  readonly target: Target
  readonly link: string
  readonly counts: { forwarded: number; returned: number }
}

function routeOf({ from, to, map, ordered }: Forward, canOrder: boolean, { target, link, counts }: Way): Route {
  const origin = 'wireType' in from ? undefined : from
  const definition = 'wireType' in from ? from : whatever(from, ordered ?? canOrder)
  const written = 'wireType' in to ? encoded(definition, to, map) : untouched(definition, to, origin)
  const forward: Forwarder = async (message, { signal }) => {
    const over = message.attributes[OVER]?.split(',') ?? []
    if (over.includes(link)) {
      counts.returned++
      return
    }
    if (message.replyTo !== undefined) {
      throw new UnrecoverableError(`"${message.type}" asks for a reply: requests do not go over a bridge`)
    }
    const { deliverAtMs: _, priority, ...rest } = await written(message)
    const attributes = { ...rest.attributes, [OVER]: [...over, link].join(',') }
    const forwarded = { ...rest, attributes, ...(priority !== undefined && target.takesPriority && { priority }) }
    await target.publish(forwarded, signal)
    counts.forwarded++
  }
  const takes = origin && ((message: WireMessage) => comesFrom(origin, message))
  return Object.freeze({ kind: 'forward', definition, forward, ...(takes && { takes }) })
}

function comesFrom({ name, subject }: Origin, { destination, type }: WireMessage): boolean {
  // brought again after a failure, by a way that is this service's own
  if (destination.kind === 'service') return true
  // without a subject the type routes
  return destination.name === name && (subject === undefined || subjectMatches(subject, destination.subject ?? type))
}

type Write = (message: WireMessage) => WireMessage | Promise<WireMessage>

/** The same bytes. A subject that only selected what is read is the message's own again. */
function untouched(definition: Definition, to: Partial<Destination>, origin: Origin | undefined): Write {
  const { kind, name } = definition.destination
  return (message) => {
    const { subject } = message.destination
    const type = message.type === '' && origin === undefined ? definition.wireType : message.type
    return { ...message, type, destination: { kind, name, ...(subject !== undefined && { subject }), ...to } }
  }
}

/** Read by one definition, written by another. */
function encoded(from: Definition, to: Definition, map: Forward['map']): Write {
  return async (message) => {
    const read: unknown = await decode(from, message)
    const data = map === undefined ? read : map(read)
    await validate(to.schema, data, `data for "${to.wireType}"`)
    const orderingKey = message.orderingKey ?? to.orderingKey?.(data)
    return {
      ...message,
      type: to.wireType,
      destination: to.destination,
      contentType: to.codec.contentType,
      body: to.codec.encode(data),
      ...(orderingKey !== undefined && { orderingKey }),
      ...(to.mustRoute && { mustRoute: true as const }),
    }
  }
}
