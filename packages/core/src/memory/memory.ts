import type { Capabilities } from '../capabilities.ts'
import { ClosedError, ConfigError, PublishError } from '../errors.ts'
import { Fifo } from '../fifo.ts'
import type { Parked } from '../parked.ts'
import type {
  Delivery,
  PartHealth,
  ReplyAddress,
  Settlement,
  SubscribeOptions,
  Subscription,
  Topology,
  Transport,
} from '../transport.ts'
import type { CallOptions, Destination, WireMessage } from '../wire-message.ts'
import { copyOf, sizeOf } from './copy.ts'
import { DeadLetters } from './dead-letters.ts'
import { resolveMemoryOptions, type MemoryOptions, type MemorySettings } from './options.ts'
import { Store, type Entry } from './store.ts'
import { MemorySubscription } from './subscription.ts'
import { WaitingRoom } from './waiting-room.ts'

const CAPABILITIES: Capabilities = Object.freeze({
  confirm: 'memory',
  orderedPublish: true,
  unroutable: true,
  order: 'key',
  services: true,
  broadcast: true,
  replay: true,
  attempts: 'exact',
  requeue: 'native',
  maxDelayMs: Infinity,
  deadLetter: true,
  ackBefore: true,
  schedule: true,
  nullBody: true,
  binaryHeaders: true,
} satisfies Capabilities)

/**
 * A carrier inside the process, for tests and first steps: does all that the contract knows, keeps nothing when it ends.
 * @example createBus({ transport: memory(), source: '/billing' })
 * @throws {ConfigError} for a bound out of range
 */
export function memory(options: MemoryOptions = {}): Transport {
  return new MemoryTransport(resolveMemoryOptions(options))
}

const SETTLED = Promise.resolve()

interface Kept {
  readonly entry: Entry
  readonly atMs: number
}

class MemoryTransport implements Transport {
  readonly name = 'memory'
  readonly capabilities = CAPABILITIES
  readonly parked: Parked
  readonly #deadLetters: DeadLetters
  readonly #settings: MemorySettings
  readonly #stores = new Map<string, Store>()
  readonly #readers = new Map<string, Store[]>()
  readonly #queues = new Map<string, Fifo<Entry>>()
  readonly #history = new Map<string, Fifo<Kept>>()
  readonly #subscriptions = new Set<MemorySubscription>()
  readonly #replies = new Map<string, { onReply(reply: WireMessage): void; onLost(reason: Error): void }>()
  readonly #sinceMs: number
  #sequence = 0
  #address = 0
  #turn = 0
  readonly #room: WaitingRoom
  #closed: Promise<void> | undefined

  constructor(settings: MemorySettings) {
    this.#settings = settings
    this.#room = new WaitingRoom(settings.ports.timers)
    this.#sinceMs = settings.ports.clock.nowMs()
    this.#deadLetters = new DeadLetters(settings.maxParked, (service, entry) => {
      const store = this.#stores.get(service)
      store?.accept(entry)
      return store !== undefined
    })
    this.parked = this.#deadLetters
  }

  publish(messages: readonly WireMessage[], options?: CallOptions): readonly Promise<void>[] {
    return messages.map((message) => this.#publish(message, options))
  }

  async declare({ destinations, subscriptions }: Topology): Promise<void> {
    this.#refuseClosed()
    for (const { kind, name } of destinations) if (kind === 'queue') this.#queue(name)
    for (const subscription of subscriptions) if (subscription.mode !== 'broadcast') this.#store(subscription)
  }

  async subscribe(
    options: SubscribeOptions,
    deliver: (delivery: Delivery) => Promise<Settlement>,
  ): Promise<Subscription> {
    this.#refuseClosed()
    const store = this.#store(options)
    if (!store.started) {
      store.started = true
      this.#fill(store, options.start)
    }
    const { ports } = this.#settings
    const subscription = new MemorySubscription(store, options, deliver, {
      timers: ports.timers,
      capabilities: CAPABILITIES,
      park: (service, entry, notes) => this.#deadLetters.park(service, entry, notes, ports.clock.nowMs()),
      gone: (stopped) => {
        this.#subscriptions.delete(stopped)
        if (options.mode === 'broadcast') this.#remove(store)
      },
    })
    this.#subscriptions.add(subscription)
    store.join(subscription)
    return subscription
  }

  async health(): Promise<readonly PartHealth[]> {
    const part = { part: 'memory', state: this.#closed === undefined ? 'up' : 'down', sinceMs: this.#sinceMs } as const
    const stores = [...this.#stores.values()]
    return [part, ...stores.map(({ service, size }) => ({ ...part, part: `memory service ${service}`, lag: size }))]
  }

  async openReplies(onReply: (reply: WireMessage) => void, onLost: (reason: Error) => void): Promise<ReplyAddress> {
    this.#refuseClosed()
    const address = `reply-${++this.#address}`
    this.#replies.set(address, { onReply, onLost })
    return {
      address,
      [Symbol.asyncDispose]: async () => {
        this.#replies.delete(address)
      },
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return (this.#closed ??= this.#close())
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.stop()))
    this.#room.close(new ClosedError('the memory transport closed before there was room'))
    for (const store of this.#stores.values()) store.close()
    this.#replies.clear()
  }

  #refuseClosed(): void {
    if (this.#closed !== undefined) throw new ClosedError('the memory transport is closed: make a new one')
  }

  #publish(message: WireMessage, options: CallOptions = {}): Promise<void> {
    if (this.#closed !== undefined)
      return Promise.reject(new ClosedError('the memory transport is closed: make a new one'))
    if (options.signal?.aborted === true) return Promise.reject(options.signal.reason as Error)
    const { kind, name } = message.destination
    if (kind === 'reply' && this.#replies.has(name)) {
      const reply = copyOf(message)
      queueMicrotask(() => this.#replies.get(name)?.onReply(reply))
      return Promise.resolve()
    }
    const entry: Entry = {
      message: copyOf(message),
      bytes: sizeOf(message),
      sequence: ++this.#sequence,
      attempt: 1,
      notes: undefined,
      place: -1,
    }
    const targets = this.#targets(entry)
    if (targets instanceof PublishError) return Promise.reject(targets)
    if (message.deliverAtMs !== undefined) {
      const delayMs = message.deliverAtMs - this.#settings.ports.clock.nowMs()
      if (delayMs > 0) {
        const full = targets.find((store) => !store.hasRoom(entry))
        if (full !== undefined) {
          const text = `publish to "${message.destination.name}" refused: service "${full.service}" is full; publish slower`
          return Promise.reject(new PublishError(text, { scope: 'destination' }))
        }
        for (const store of targets) store.acceptLater({ ...entry }, delayMs)
        return Promise.resolve()
      }
    }
    return this.#offer(entry, targets, options)
  }

  #targets(entry: Entry): readonly Store[] | PublishError {
    const { destination, mustRoute } = entry.message
    const { kind, name } = destination
    const readers = this.#readers.get(`${kind}/${name}`) ?? []
    if (kind === 'topic') {
      const bound = readers.length === 0 ? readers : readers.filter((store) => store.reads(destination))
      if (bound.length === 0 && mustRoute === true) return nobody(destination, 'destination')
      return bound
    }
    if (kind === 'reply') return readers.length > 0 ? readers : nobody(destination, 'message')
    if (kind === 'service') {
      const store = this.#stores.get(name)
      return store === undefined ? nobody(destination, 'destination') : [store]
    }
    if (readers.length > 0) return [readers[this.#turn++ % readers.length]!]
    const queue = this.#queues.get(name)
    if (queue === undefined) return nobody(destination, 'destination')
    if (queue.length >= this.#settings.maxQueued) {
      return new PublishError(`queue "${name}" is full with ${queue.length} messages: start a service that reads it`, {
        scope: 'destination',
      })
    }
    queue.push(entry)
    return []
  }

  #offer(entry: Entry, targets: readonly Store[], options: CallOptions): Promise<void> {
    let admitted = () => {}
    let waits = false
    for (const store of targets) if (store.waiting > 0) waits = true
    const { maxWaiting, publishTimeoutMs } = this.#settings
    if (waits && this.#room.size >= maxWaiting) {
      const text = `publish to "${entry.message.destination.name}" refused: ${this.#room.size} messages wait for room; publish slower`
      return Promise.reject(new PublishError(text, { scope: 'transport' }))
    }
    if (entry.message.destination.kind === 'topic') this.#remember(entry)
    // each service has an attempt count of its own
    const copies = targets.length === 1 ? [entry] : targets.map(() => ({ ...entry }))
    let missing = 0
    for (const [index, store] of targets.entries()) if (!store.offer(copies[index]!, () => admitted())) missing++
    if (missing === 0) return SETTLED
    const { timeoutMs = publishTimeoutMs, signal } = options
    const wait = this.#room.enter({ message: entry.message, copies, missing, timeoutMs, signal })
    admitted = wait.admitted
    return wait.settled
  }

  #remember(entry: Entry): void {
    const { maxHistory, ports } = this.#settings
    if (maxHistory === 0) return
    const { name } = entry.message.destination
    let kept = this.#history.get(name)
    if (kept === undefined) this.#history.set(name, (kept = new Fifo()))
    kept.push({ entry, atMs: ports.clock.nowMs() })
    if (kept.length > maxHistory) kept.shift()
  }

  #queue(name: string): Fifo<Entry> {
    let queue = this.#queues.get(name)
    if (queue === undefined) this.#queues.set(name, (queue = new Fifo()))
    return queue
  }

  #store(options: Pick<SubscribeOptions, 'service' | 'sources' | 'mode'>): Store {
    const known = this.#stores.get(options.service)
    if (known !== undefined) {
      const missing = options.sources.find(
        (source) => !known.sourcesOf(source.kind).some(({ name }) => name === source.name),
      )
      if (missing === undefined && known.mode === options.mode) return known
      if (known.started) {
        throw new ConfigError(
          `service "${options.service}" runs with other sources or another mode: give each instance the same`,
        )
      }
      this.#remove(known)
    }
    const store = new Store(options, this.#sequence, this.#settings)
    this.#stores.set(options.service, store)
    for (const { kind, name } of options.sources) {
      const readers = this.#readers.get(`${kind}/${name}`)
      if (readers === undefined) this.#readers.set(`${kind}/${name}`, [store])
      else if (!readers.includes(store)) readers.push(store)
      if (kind !== 'queue') continue
      const queue = this.#queue(name)
      for (let entry = queue.shift(); entry !== undefined; entry = queue.shift()) store.accept(entry)
    }
    return store
  }

  #remove(store: Store): void {
    store.close()
    this.#stores.delete(store.service)
    for (const [source, readers] of this.#readers) {
      const left = readers.filter((reader) => reader !== store)
      if (left.length === 0) this.#readers.delete(source)
      else this.#readers.set(source, left)
    }
  }

  /** Gives a service without a saved position what its topics kept from before it was known. */
  #fill(store: Store, start: SubscribeOptions['start']): void {
    if (start === 'latest') return
    const wanted = ({ entry, atMs }: Kept) => {
      if (entry.sequence > store.createdAt || !store.reads(entry.message.destination)) return false
      if (typeof start === 'string') return true
      return 'timeMs' in start ? atMs >= start.timeMs : entry.sequence >= Number(start.position)
    }
    const topics = new Set(store.sourcesOf('topic').map(({ name }) => name))
    const old = [...topics].flatMap((name) => [...(this.#history.get(name) ?? [])].filter(wanted))
    store.acceptBefore(old.map(({ entry }) => ({ ...entry, attempt: 1, notes: undefined })))
  }
}

function nobody({ kind, name }: Destination, scope: 'destination' | 'message'): PublishError {
  const text = `publish to ${kind} "${name}" refused: nobody reads it; start or declare its service first`
  return new PublishError(text, { scope, retryable: scope === 'destination' })
}
