import { createHash } from 'node:crypto'
import { PublishError, reasonOf } from '@waybill/core'
import type { CallOptions, Parked, ParkedMessage } from '@waybill/core'
import type { AmqpMessage } from './client.ts'
import { closeChannel } from './close-channel.ts'
import type { Link } from './connection.ts'
import type { ResolvedOptions } from './options.ts'
import type { ConfirmPublisher } from './publisher.ts'
import type { TopologyRoom } from './topology.ts'
import { OWN, copyProperties, countHeader, ownHeader, read, withoutNotes } from './wire.ts'

/** How much one listing holds at most; the oldest come first, so what is settled makes room for the rest. */
const MAX_LISTED = 10_000
const MAX_LISTED_BYTES = 64 * 1024 * 1024

/**
 * The dead letters of services, in `<service>.dlq`. Looking at a queue means to take its messages and to give them back,
 * so one look at a time per queue: two would hide messages from each other.
 */
export class DeadLetters implements Parked {
  readonly #link: Link
  readonly #publisher: ConfirmPublisher
  readonly #options: ResolvedOptions
  readonly #topology: TopologyRoom
  readonly #services: () => Iterable<string>
  readonly #turns = new Map<string, Promise<unknown>>()

  constructor(
    link: Link,
    publisher: ConfirmPublisher,
    options: ResolvedOptions,
    topology: TopologyRoom,
    services: () => Iterable<string>,
  ) {
    this.#link = link
    this.#publisher = publisher
    this.#options = options
    this.#topology = topology
    this.#services = services
  }

  /** Without `filter.service`: of the services that this transport has declared or subscribed. */
  async *list(filter: Parameters<Parked['list']>[0] = {}, options: CallOptions = {}): AsyncGenerator<ParkedMessage> {
    const services = filter.service === undefined ? [...this.#services()] : [filter.service]
    for (const service of services) {
      // all is read before the first is shown: a replay in the midst of listing must find its message in the queue
      const found: ParkedMessage[] = []
      await this.#look(service, options, (raw) => {
        const parked = this.#parked(service, raw)
        const wanted =
          (filter.type === undefined || filter.type === parked.message.type) &&
          (filter.orderingKey === undefined || filter.orderingKey === parked.message.orderingKey)
        if (wanted) found.push(parked)
        return true
      })
      yield* found
    }
  }

  replay(handles: readonly string[], options: CallOptions = {}): Promise<void>[] {
    return this.#each(handles, options, async (service, settled, raw) => {
      const outgoing = {
        exchange: '',
        routingKey: this.#topology.queueFor(this.#topology.serviceQueue(service), read(raw).orderingKey),
        content: raw.content,
        mandatory: true,
        properties: withoutNotes(copyProperties(raw, {})),
      }
      await this.#publisher.copy(outgoing, { kind: 'service', name: service })
      settled(raw)
    })
  }

  discard(handles: readonly string[], reason: string, options: CallOptions = {}): Promise<void>[] {
    return this.#each(handles, options, (service, settled, raw) => {
      const { id, type } = read(raw)
      this.#options.logger.warn({ service, id, type, reason }, 'dead letter discarded')
      settled(raw)
      return Promise.resolve()
    })
  }

  /** Finds the messages of the handles, then works on them one after another, in the order given. */
  #each(
    handles: readonly string[],
    options: CallOptions,
    work: (service: string, settled: (raw: AmqpMessage) => void, raw: AmqpMessage) => Promise<void>,
  ): Promise<void>[] {
    const parts = new Map<string, Map<string, PromiseWithHandles>>()
    const promises = handles.map((handle) => {
      const [service, mark] = splitHandle(handle)
      let part = parts.get(service)
      if (part === undefined) parts.set(service, (part = new Map<string, PromiseWithHandles>()))
      let entry = part.get(mark)
      if (entry === undefined) part.set(mark, (entry = new PromiseWithHandles()))
      return entry.promise
    })
    for (const [service, part] of parts) void this.#work(service, part, options, work)
    return promises
  }

  async #work(
    service: string,
    part: ReadonlyMap<string, PromiseWithHandles>,
    options: CallOptions,
    work: (service: string, settled: (raw: AmqpMessage) => void, raw: AmqpMessage) => Promise<void>,
  ): Promise<void> {
    const found = new Map<string, AmqpMessage>()
    try {
      await this.#look(
        service,
        options,
        (raw) => {
          const mark = markOf(raw)
          if (part.has(mark) && !found.has(mark)) found.set(mark, raw)
          return found.size < part.size
        },
        async (settled) => {
          for (const [mark, entry] of part) {
            const raw = found.get(mark)
            if (raw === undefined) continue
            try {
              await work(service, settled, raw)
              entry.resolve()
            } catch (error) {
              entry.reject(error as Error)
            }
          }
        },
      )
    } catch (error) {
      for (const entry of part.values()) entry.reject(error as Error)
    }
    const queue = this.#topology.deadLetterQueue(service)
    const missing = new PublishError(`no such message in "${queue}": replayed or discarded already?`, {
      retryable: false,
    })
    for (const entry of part.values()) entry.reject(missing) // no effect on those settled
  }

  /** Takes messages until `see` has enough, lets `then` work, and gives back in order what that did not settle. */
  #look(
    service: string,
    options: CallOptions,
    see: (raw: AmqpMessage) => boolean,
    then?: (settled: (raw: AmqpMessage) => void) => Promise<void>,
  ): Promise<void> {
    const before = this.#turns.get(service) ?? Promise.resolve()
    const turn = before.catch(() => {}).then(() => this.#lookNow(service, options, see, then))
    this.#turns.set(service, turn)
    const clear = () => {
      if (this.#turns.get(service) === turn) this.#turns.delete(service)
    }
    turn.then(clear, clear)
    return turn
  }

  async #lookNow(
    service: string,
    { signal, timeoutMs = this.#options.connectTimeoutMs }: CallOptions,
    see: (raw: AmqpMessage) => boolean,
    then?: (settled: (raw: AmqpMessage) => void) => Promise<void>,
  ): Promise<void> {
    const session = await this.#link.readyWithin(timeoutMs, signal)
    await this.#topology.declareDeadLetters(session, service)
    const channel = await session.connection.createChannel()
    channel.on('error', (error: Error) => {
      this.#options.logger.warn({ service, reason: reasonOf(error) }, 'dead letters not read')
    })
    const taken = new Set<AmqpMessage>()
    try {
      let bytes = 0
      for (let count = 0; count < MAX_LISTED && bytes < MAX_LISTED_BYTES; count++) {
        signal?.throwIfAborted()
        const raw = await channel.get(this.#topology.deadLetterQueue(service))
        if (raw === false) break
        taken.add(raw)
        bytes += raw.content.length
        if (!see(raw)) break
      }
      await then?.((raw) => {
        channel.ack(raw)
        taken.delete(raw)
      })
      // a quorum queue that takes them back from a closed channel turns their order round
      for (const raw of taken) channel.nack(raw, false, true)
    } finally {
      await closeChannel(channel, session)
    }
  }

  #parked(service: string, raw: AmqpMessage): ParkedMessage {
    const parkedAtMs = Number(ownHeader(raw, OWN.parkedAt))
    const lastFailed = Date.parse(ownHeader(raw, 'waybill-last-failed-at') ?? '')
    const byBroker = ownHeader(raw, 'x-first-death-reason')
    // a delivery may have been tried several times in its process
    const failures = ownHeader(raw, 'waybill-failures')
    return {
      handle: `${service}/${markOf(raw)}`,
      service,
      reason: ownHeader(raw, 'waybill-reason') ?? (byBroker === undefined ? 'unknown' : `by the broker: ${byBroker}`),
      attempts: Number(failures ?? ownHeader(raw, OWN.attempts) ?? countHeader(raw, 'x-delivery-count') + 1),
      parkedAtMs: parkedAtMs > 0 ? parkedAtMs : Number.isFinite(lastFailed) ? lastFailed : 0,
      message: read(raw),
    }
  }
}

/** Our own mark; what the broker dead-lettered by itself has none, so its content stands for it. */
function markOf(raw: AmqpMessage): string {
  const handle = ownHeader(raw, OWN.handle)
  if (handle !== undefined) return handle
  const hash = createHash('sha256').update(raw.properties.messageId ?? '')
  return `sha256-${hash.update('\n').update(raw.content).digest('hex').slice(0, 32)}`
}

function splitHandle(handle: string): [string, string] {
  const at = handle.lastIndexOf('/')
  return at < 0 ? ['', handle] : [handle.slice(0, at), handle.slice(at + 1)]
}

class PromiseWithHandles {
  readonly promise: Promise<void>
  resolve: () => void = () => {}
  reject: (error: Error) => void = () => {}
  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    this.promise.catch(() => {}) // one handle given twice shares it; who asked has it too
  }
}
