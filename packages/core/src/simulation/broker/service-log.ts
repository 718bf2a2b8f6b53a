import { subjectMatches } from '../../subject.ts'
import type { Source, SubscribeOptions } from '../../transport.ts'
import type { Destination, WireHeaders, WireMessage } from '../../wire-message.ts'
import type { BrokerContext } from './broker-context.ts'
import type { BrokerSubscription } from './broker-subscription.ts'
import { Channel } from './channel.ts'
import type { Entry } from './entry.ts'
import type { Ending } from './observer.ts'

/** Entries that go to one instance at a time where the service is ordered, to any of them where it is not. */
export interface Partition {
  /** By sequence. */
  readonly waiting: Entry[]
  readonly channels: Set<Channel>
}

/** What one service has not settled yet. It outlives every process that reads it. */
export class ServiceLog {
  readonly service: string
  readonly mode: SubscribeOptions['mode']
  readonly sources: readonly Source[]
  readonly entries = new Set<Entry>()
  readonly #context: BrokerContext
  readonly #bury: (entry: Entry) => void
  readonly #partitions: readonly Partition[]
  readonly #subscriptions = new Set<BrokerSubscription>()
  #sequence = 0

  constructor(
    { service, mode, sources }: Pick<SubscribeOptions, 'service' | 'mode' | 'sources'>,
    context: BrokerContext,
    bury: (entry: Entry) => void,
  ) {
    this.service = service
    this.mode = mode
    this.sources = sources
    this.#context = context
    this.#bury = bury
    const count = mode === 'ordered' ? context.profile.partitions : 1
    this.#partitions = Array.from({ length: count }, () => ({ waiting: [], channels: new Set<Channel>() }))
  }

  reads({ kind, name, subject = '' }: Destination): boolean {
    return this.sources.some(
      (source) =>
        source.kind === kind &&
        source.name === name &&
        (source.subjects === undefined || source.subjects.some((pattern) => subjectMatches(pattern, subject))),
    )
  }

  store(message: WireMessage): void {
    const entry: Entry = {
      service: this.service,
      message,
      sequence: this.#sequence++,
      attempt: 1,
      notes: undefined,
      state: 'waiting',
      notBeforeMs: 0,
    }
    this.entries.add(entry)
    this.#context.observer.stored(entry)
    this.#append(entry)
  }

  join(subscription: BrokerSubscription): void {
    this.#subscriptions.add(subscription)
    this.#assign()
    if (this.mode !== 'ordered' || this.#subscriptions.size < 2) return
    // a new instance takes over some of the work: it is recalled from whoever has it
    for (const { channels } of this.#partitions) {
      if (this.#context.faults.chance.yes(0.5)) for (const channel of [...channels]) channel.recall()
    }
  }

  leave(subscription: BrokerSubscription): void {
    this.#subscriptions.delete(subscription)
    this.#assign()
  }

  /** Something was settled, or an instance reads again. */
  wake(): void {
    for (const partition of this.#partitions) this.#pump(partition)
  }

  close(entry: Entry, how: Ending): void {
    entry.state = 'settled'
    if (how === 'deadLetter') this.#bury(entry)
    this.entries.delete(entry)
    this.#context.observer.closed(entry, how)
  }

  /** Back to its old place. */
  giveBack(entries: Iterable<Entry>): void {
    for (const entry of entries) {
      entry.state = 'waiting'
      const { waiting } = this.#partitionOf(entry)
      const place = waiting.findIndex(({ sequence }) => sequence > entry.sequence)
      waiting.splice(place < 0 ? waiting.length : place, 0, entry)
    }
    this.wake()
  }

  /** To the end, not before `delayMs`. */
  requeue(entry: Entry, delayMs: number, notes: WireHeaders): void {
    const { clock, timers } = this.#context.ports
    entry.attempt++
    entry.notes = notes
    entry.sequence = this.#sequence++
    entry.state = 'delayed'
    entry.notBeforeMs = clock.nowMs() + delayMs
    timers.schedule(() => this.#append(entry), delayMs)
  }

  /** The channel is done: its place is free for another one. */
  closed(channel: Channel): void {
    for (const { channels } of this.#partitions) channels.delete(channel)
    this.#assign()
  }

  #append(entry: Entry): void {
    if (entry.state === 'settled') return
    entry.state = 'waiting'
    const partition = this.#partitionOf(entry)
    partition.waiting.push(entry)
    this.#pump(partition)
  }

  #partitionOf({ message: { orderingKey, id } }: Entry): Partition {
    let sum = 0
    for (const letter of orderingKey ?? id) sum = (sum * 31 + letter.codePointAt(0)!) % 1_000_003
    return this.#partitions[sum % this.#partitions.length]!
  }

  #assign(): void {
    const { chance } = this.#context.faults
    const reading = [...this.#subscriptions].filter(({ takesChannels }) => takesChannels)
    for (const partition of this.#partitions) {
      const { channels } = partition
      if (this.mode === 'ordered') {
        if (channels.size === 0 && reading.length > 0)
          channels.add(new Channel(chance.pick(reading), this, this.#context))
      } else {
        for (const subscription of reading) {
          if (![...channels].some((channel) => channel.subscription === subscription)) {
            channels.add(new Channel(subscription, this, this.#context))
          }
        }
      }
      this.#pump(partition)
    }
  }

  #pump({ waiting, channels }: Partition): void {
    while (waiting.length > 0) {
      const free = [...channels].filter((channel) => channel.hasRoom)
      if (free.length === 0) return
      this.#context.faults.chance.pick(free).hand(waiting.shift()!)
    }
  }
}
