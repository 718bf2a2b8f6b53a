import { AssertionError } from 'node:assert'
import type { Bus } from '../bus.ts'
import type { Capabilities } from '../capabilities.ts'
import type { DataIn, EventDefinition } from '../definition.ts'
import type { ParkedStore } from '../parked.ts'
import { sleep, systemPorts, uuidv7 } from '../ports.ts'
import type { Delivery, Settlement, Subscription, Source, SubscribeOptions, Transport } from '../transport.ts'
import type { Destination, WireMessage } from '../wire-message.ts'
import { busOn } from './bus-on.ts'
import { VERDICTS, type Finding, type Verdict } from './check.ts'
import { contentOf } from './content.ts'
import { gate, type Gate } from './gate.ts'
import { Ledger } from './ledger.ts'
import type { ProxiedClient } from './fault-hooks.ts'
import type { FaultProxy } from './fault-proxy.ts'
import type { ResolvedOptions, SuiteHooks } from './options.ts'
import type { Leaks } from './secret-watch.ts'
import { seededRandom } from './seeded-random.ts'
import { WaitRoom } from './wait-room.ts'

export interface ReadOptions {
  readonly transport: Transport
  readonly service: string
  readonly from: readonly Destination[]
  /** The name in the ledger; instances of one service share it. @default the service */
  readonly reader?: string | undefined
  readonly mode?: SubscribeOptions['mode'] | undefined
  readonly maxOpen?: number | undefined
  readonly start?: SubscribeOptions['start'] | undefined
  /** @default an ack at once */
  readonly handle?: ((delivery: Delivery) => Settlement | Promise<Settlement>) | undefined
}

/** What a case works with: clients, names of its own, a ledger, and waits that end. */
export class CaseContext {
  readonly options: ResolvedOptions
  readonly ledger: Ledger
  /** In [0, 1), from the seed and the case. */
  readonly random: () => number
  /** Parts of the case that could not be run, for the report. */
  readonly leftOut: string[] = []
  /** Hooks that the case wanted and the adapter's test did not give. */
  readonly missingHooks: string[] = []
  readonly #prefix: string
  readonly #clients: Transport[] = []
  readonly #room: WaitRoom
  readonly #buses: Bus[] = []
  readonly #proxies: FaultProxy[] = []
  readonly #broken: string[] = []
  readonly #endings: (() => void)[] = []
  readonly #leaks: Leaks

  constructor(options: ResolvedOptions, runName: string, caseId: string, signal: AbortSignal, leaks: Leaks) {
    this.options = options
    this.#leaks = leaks
    this.#prefix = `${runName}.${caseId}`
    this.random = seededRandom(options.seed, caseId)
    this.#room = new WaitRoom(options.idleTimeoutMs, signal, () => this.ledger.describe())
    this.ledger = new Ledger(() => this.#room.wake())
  }

  /** A fresh client of the same broker, disposed when the case ends. */
  async client(): Promise<Transport> {
    const client = await this.options.create()
    this.#clients.push(client)
    return client
  }

  /** A client behind a proxy of its own; both are disposed when the case ends. */
  async proxiedClient(proxied: NonNullable<SuiteHooks['proxied']>): Promise<ProxiedClient> {
    const client = await proxied()
    this.#clients.push(client.transport)
    this.#proxies.push(client.proxy)
    return client
  }

  clients(count: number): Promise<Transport[]> {
    return Promise.all(Array.from({ length: count }, () => this.client()))
  }

  /** A share of the volume the suite was given: `share(100)` is 100 messages where the volume is 5,000. */
  share(count: number): number {
    return Math.max(10, Math.ceil((count * this.options.volume) / 5_000))
  }

  /** What has to be quick may take so long. */
  get soonMs(): number {
    return Math.max(1_000, this.options.idleTimeoutMs / 3)
  }

  name(label: string): string {
    return `${this.#prefix}.${label}`
  }

  topic(label = 'topic'): Destination {
    return { kind: 'topic', name: this.name(label) }
  }

  queue(label = 'queue'): Destination {
    return { kind: 'queue', name: this.name(label) }
  }

  /** Publishes and writes it down; fulfilled when each message's publish has been. */
  async publish(
    publisher: Transport,
    messages: readonly WireMessage[],
    readers: readonly string[],
    key?: string,
  ): Promise<void> {
    const settle = messages.map((message) =>
      this.ledger.sent({ id: message.id, key: key ?? message.orderingKey, readers, content: contentOf(message) }),
    )
    const promises = publisher.publish(messages)
    if (promises.length !== messages.length) {
      throw new AssertionError({ message: `publish of ${messages.length} messages gave ${promises.length} promises` })
    }
    const results = await Promise.allSettled(promises)
    results.forEach((result, index) => settle[index]!(result.status === 'fulfilled'))
    const failed = results.find((result) => result.status === 'rejected')
    if (failed === undefined) return
    this.lookForSecrets(failed.reason, 'what publish rejected with')
    throw failed.reason
  }

  /** Buses on fresh clients; a transport without dead letters gets a list to park in. */
  async buses(count: number): Promise<Bus[]> {
    const transports = await this.clients(count)
    return transports.map((transport) => this.busOver(transport))
  }

  /** A bus on a client that the case wants to reach too. */
  busOver(transport: Transport, parked?: ParkedStore): Bus {
    const bus = busOn(transport, parked)
    this.#buses.push(bus)
    return bus
  }

  /** Publishes an event over a bus and writes it down. */
  async send<D extends EventDefinition>(
    bus: Bus,
    event: D,
    data: DataIn<D>,
    { key, readers }: { readonly key?: string; readonly readers: readonly string[] },
  ): Promise<void> {
    const id = uuidv7(Date.now())
    const settle = this.ledger.sent({ id, key, readers })
    await bus.publish(event, data, { id })
    settle(true)
  }

  /** What the transport declares; known once a client was made. */
  capabilities(): Capabilities {
    return this.#clients[0]?.capabilities ?? {}
  }

  /** A hook of the adapter's test; without it what it is for is left out, and the report says so. */
  hook<Name extends keyof SuiteHooks>(name: Name, what: string): SuiteHooks[Name] {
    const hook = this.options.hooks[name]
    if (hook === undefined && this.options.noConnection) this.leftOut.push(`${what}: there is no connection`)
    else if (hook === undefined) {
      this.missingHooks.push(name)
      this.leftOut.push(`${what}: no hook ${name}`)
    }
    return hook
  }

  /** Done before the clients of the case are disposed. */
  atEnd(action: () => void): void {
    this.#endings.push(action)
  }

  /** Searches an error, or what `health` said, for the secrets that the suite was given. */
  lookForSecrets(value: unknown, where: string): void {
    this.#leaks.look(value, where)
  }

  /** For handlers to wait at; opened when the case ends, however it ends. */
  gate(): Gate {
    const made = gate()
    this.atEnd(made.open)
    return made
  }

  /** Notes a broken promise where throwing would be taken for the handler's own failure. */
  broken(what: string): void {
    this.#broken.push(what)
  }

  /** Makes known what is about to be used, where the transport wants that. */
  async declare(transport: Transport, destinations: readonly Destination[], services: readonly string[] = []) {
    const sources = destinations.map(asSource)
    const subscriptions = services.map((service) => ({ service, sources, mode: 'compete' as const }))
    await transport.declare?.({ destinations, subscriptions })
  }

  /** Subscribes, and writes down each delivery and its settlement. */
  async read(options: ReadOptions): Promise<Subscription> {
    const { transport, service, from, reader = service, mode = 'compete', maxOpen = 100, start = 'earliest' } = options
    const { handle = () => ({ outcome: 'ack' }) } = options
    const sources = from.map(asSource)
    await transport.declare?.({ destinations: from, subscriptions: [{ service, sources, mode }] })
    let open = 0
    return await transport.subscribe(
      { service, sources, mode, ackBefore: false, maxOpen, maxOpenBytes: 64 * 1024 * 1024, start },
      async (delivery) => {
        open += 1
        if (open > maxOpen) this.#broken.push(`${service}: ${open} deliveries open, maxOpen is ${maxOpen}`)
        if (!(delivery.attempt >= 1)) this.#broken.push(`${service}: attempt is ${delivery.attempt}, it counts from 1`)
        const settled = this.ledger.seen({ id: delivery.message.id, reader, content: contentOf(delivery.message) })
        try {
          const handled = handle(delivery)
          this.wake()
          return await handled
        } finally {
          open -= 1
          settled()
        }
      },
    )
  }

  /** Waits for a condition, looked at after each event of the ledger. */
  until(condition: () => boolean, what: string): Promise<void> {
    return this.#room.until(condition, what)
  }

  /** Something happened that conditions may look at and the ledger does not know. */
  wake(): void {
    this.#room.wake()
  }

  /** Waits for a condition that has to be asked for. */
  async eventually(condition: () => Promise<boolean>, what: string): Promise<void> {
    const endMs = Date.now() + this.options.idleTimeoutMs
    while (!(await condition())) {
      if (Date.now() > endMs) {
        throw new AssertionError({ message: `waited ${this.options.idleTimeoutMs} ms for ${what}` })
      }
      await this.#room.pause(50)
    }
  }

  /** The time passes in which something that must not happen could. */
  pause(delayMs: number): Promise<void> {
    return this.#room.pause(delayMs)
  }

  /** Waits for all that was sent, then for the quiet period, then judges the history. */
  async finish(allowed: readonly Verdict[] = []): Promise<void> {
    try {
      await this.until(() => this.ledger.complete(), 'each confirmed message to be seen')
    } catch (cause) {
      this.judge(allowed, cause)
      throw cause
    }
    await this.pause(this.options.quietMs)
    this.judge(allowed)
  }

  judge(allowed: readonly Verdict[] = [], cause?: unknown): void {
    const problems = this.#broken.slice(0, 3)
    const findings = this.ledger.findings(allowed)
    if (findings.length > 0) problems.push(`${summary(findings)} (${this.ledger.describe()})`)
    if (problems.length > 0) throw Object.assign(new AssertionError({ message: problems.join('; ') }), { cause })
  }

  /** Disposes what the case opened; throws what disposing threw. */
  async close(): Promise<void> {
    const closing = this.#dispose()
    const late = new AbortController()
    const limitMs = Math.max(2_000, this.options.idleTimeoutMs)
    const lateness = sleep(systemPorts.timers, limitMs, late.signal).catch(() => undefined)
    const results = await Promise.race([closing, lateness])
    late.abort()
    if (results === undefined) throw new AssertionError({ message: `clients were not disposed within ${limitMs} ms` })
    const failed = results.find((result) => result.status === 'rejected')
    if (failed !== undefined) throw new AssertionError({ message: `dispose rejected: ${String(failed.reason)}` })
  }

  async #dispose(): Promise<PromiseSettledResult<void>[]> {
    for (const end of this.#endings) end()
    const buses = await Promise.allSettled(this.#buses.map((bus) => bus.stop({ drainTimeoutMs: 1_000 })))
    for (const proxy of this.#proxies) proxy.heal()
    const clients = await Promise.allSettled(this.#clients.map((client) => client[Symbol.asyncDispose]()))
    const proxies = await Promise.allSettled(this.#proxies.map((proxy) => proxy[Symbol.asyncDispose]()))
    return [...buses, ...clients, ...proxies]
  }
}

export function asSource({ kind, name, subject }: Destination): Source {
  return { kind, name, ...(subject !== undefined && { subjects: [subject] }) }
}

/** Whether a capability says that order holds at least so far. */
export function keepsOrder({ order }: Capabilities, least: 'single' | 'key'): boolean {
  return order !== undefined && (least === 'single' || order !== 'single')
}

function summary(findings: readonly Finding[]): string {
  const parts = VERDICTS.flatMap((verdict) => {
    const list = findings.filter((finding) => finding.verdict === verdict)
    if (list.length === 0) return []
    const examples = list.slice(0, 3).map(({ reader, id, detail }) => `${id} at ${reader}: ${detail}`)
    return [`${list.length} ${verdict} (${examples.join('; ')}${list.length > 3 ? '; …' : ''})`]
  })
  return parts.join(', ')
}
