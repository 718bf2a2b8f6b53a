import { copyOf } from '../../memory/copy.ts'
import type { Delivery, Settlement, SubscribeOptions } from '../../transport.ts'
import type { BrokerContext } from './broker-context.ts'
import type { Entry } from './entry.ts'
import type { Ending, HandedOver } from './observer.ts'
import { Wire } from './wire.ts'
import type { WireHeaders } from '../../wire-message.ts'

/** The log that a channel reads from. */
export interface ChannelLog {
  readonly mode: SubscribeOptions['mode']
  close(entry: Entry, how: Ending): void
  giveBack(entries: Iterable<Entry>): void
  requeue(entry: Entry, delayMs: number, notes: WireHeaders): void
  closed(channel: Channel): void
  wake(): void
}

/** The instance that a channel delivers to. */
export interface ChannelReader {
  readonly options: SubscribeOptions
  readonly client: { readonly name: string; readonly alive: boolean }
  /** As the client knows them. */
  readonly channels: Set<Channel>
  readonly toClient: Wire
  readonly hasRoom: boolean
  readonly stopping: boolean
  /** Handed over by the broker and not settled there. */
  open: number
  deliver(delivery: Delivery): Promise<Settlement>
  onSettled(): void
  channelClosed(): void
}

const EVICTED = Object.freeze(new Error('the deliveries of this channel belong to others now'))
const PARK_AGAIN_MS = 200

/**
 * One spell of reading: the way of deliveries to one instance and of settlements back, with one pair of signals. What
 * the broker does happens here at once; what the client learns of it takes its time.
 */
export class Channel {
  readonly subscription: ChannelReader
  readonly #log: ChannelLog
  readonly #context: BrokerContext
  readonly #toBroker: Wire
  // the broker's side
  readonly #open = new Set<Entry>()
  readonly #returned: Entry[] = []
  #reading = true
  #cancelEviction = () => {}
  #closed = false
  // the client's side
  readonly #recalled = new AbortController()
  readonly #signal = new AbortController()
  readonly #arrived = new Set<Entry>()
  #delivered = 0

  constructor(subscription: ChannelReader, log: ChannelLog, context: BrokerContext) {
    const { faults, ports } = context
    this.subscription = subscription
    this.#log = log
    this.#context = context
    this.#toBroker = new Wire(ports.timers, () => faults.hopMs())
    subscription.channels.add(this)
  }

  get hasRoom(): boolean {
    return this.#reading && this.subscription.hasRoom
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Deliveries that the core has not settled. */
  get delivered(): number {
    return this.#delivered
  }

  hand(entry: Entry): void {
    const { faults } = this.#context
    if (this.subscription.options.ackBefore) this.#log.close(entry, 'ackBefore')
    else entry.state = 'open'
    this.#open.add(entry)
    this.subscription.open++
    this.subscription.toClient.send(() => this.#arrive(entry))
    if (faults.happens('recall')) this.recall()
  }

  /** The broker takes back what it has delivered, by and by; in the end by force. */
  recall(): void {
    if (!this.#reading) return
    this.#reading = false
    const { faults, ports } = this.#context
    this.subscription.toClient.send(() => this.stopReading())
    // until its client is late with giving back
    this.#cancelEviction = ports.timers.schedule(
      () => this.evict(),
      faults.chance.yes(0.3) ? faults.chance.between(0, 2_000) : 60_000,
    )
    this.#closeIfEmpty()
  }

  /** What is open goes to others now. The client learns of it later. */
  evict(): void {
    if (this.#closed) return
    this.subscription.toClient.send(() => this.cutOff())
    this.close()
  }

  /** The broker's end: all that is open goes back to its place. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#reading = false
    this.#cancelEviction()
    const exact = this.#context.profile.capabilities.attempts === 'exact'
    for (const entry of this.#open) {
      if (entry.state === 'settled') continue
      if (!exact || this.#arrived.has(entry)) entry.attempt++
      this.#returned.push(entry)
    }
    this.subscription.open -= this.#open.size
    this.#open.clear()
    this.#log.giveBack(this.#returned)
    this.#log.closed(this)
    this.subscription.channelClosed()
  }

  /** The client's soft end: nothing new is delivered. */
  stopReading(): void {
    this.#recalled.abort()
  }

  /** The client's hard end. */
  cutOff(): void {
    this.subscription.channels.delete(this)
    this.#signal.abort(EVICTED)
  }

  /** Tells the broker, after all that was settled before. */
  tellClose(): void {
    this.#toBroker.send(() => this.close())
  }

  /** The connection is gone, and with it what was on its way. */
  cut(): void {
    this.#toBroker.cut()
  }

  #arrive(entry: Entry): void {
    const { options, client } = this.subscription
    if (this.#signal.signal.aborted) return
    // some clients hand over what came after a recall, and the core says no
    if (this.#recalled.signal.aborted && (this.subscription.stopping || this.#context.faults.chance.yes(0.5))) {
      return this.#toBroker.send(() => this.#settle(entry, { outcome: 'release' }))
    }
    const { message, attempt, notes, sequence } = entry
    const delivery: Delivery = {
      message: copyOf(message, notes),
      attempt,
      position: `${entry.service}/${sequence}`,
      recalled: this.#recalled.signal,
      signal: this.#signal.signal,
    }
    const handed: HandedOver = { client: client.name, entry, delivery, options }
    this.#context.observer.handedOver(handed)
    this.#delivered++
    this.#arrived.add(entry)
    this.subscription.deliver(delivery).then(
      (settlement) => this.#onSettlement(handed, settlement),
      () => this.#onSettlement(handed, { outcome: 'release' }),
    )
  }

  #onSettlement(handed: HandedOver, settlement: Settlement): void {
    if (!this.subscription.client.alive) return
    this.#delivered--
    this.#context.observer.settled(handed, settlement)
    // of an ordered service all goes back together, or a later one of its key would overtake (R14)
    if (settlement.outcome === 'release' && this.#log.mode === 'ordered') this.stopReading()
    if (!this.#signal.signal.aborted) this.#toBroker.send(() => this.#settle(handed.entry, settlement))
    this.subscription.onSettled()
  }

  #settle(entry: Entry, settlement: Settlement): void {
    if (this.#closed || !this.#open.has(entry)) return
    if (settlement.outcome === 'deadLetter') {
      if (this.#context.faults.happens('deadLetterFails')) {
        // the copy was refused: the delivery stays open, and the client tries again (R16)
        this.#context.ports.timers.schedule(() => this.#settle(entry, settlement), PARK_AGAIN_MS)
        return
      }
      entry.notes = settlement.notes
    }
    this.#open.delete(entry)
    this.subscription.open--
    if (entry.state === 'settled') this.#closeIfEmpty()
    else if (settlement.outcome === 'requeue') this.#log.requeue(entry, settlement.delayMs, settlement.notes)
    else if (settlement.outcome !== 'release') this.#log.close(entry, settlement.outcome)
    else if (this.#log.mode === 'ordered') {
      this.#returned.push(entry)
      this.recall()
    } else this.#log.giveBack([entry])
    this.#closeIfEmpty()
    this.#log.wake()
  }

  #closeIfEmpty(): void {
    if (this.#reading || this.#closed || this.#open.size > 0) return
    // what was said of the recall comes before what is said of the next spell, as on one connection
    this.subscription.toClient.send(() => this.subscription.channels.delete(this))
    this.close()
  }
}
