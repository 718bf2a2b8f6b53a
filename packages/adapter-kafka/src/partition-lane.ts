import type { Delivery, Settlement, WireHeaders, WireMessage } from '@waybill/core'
import type { KafkaMessage } from 'kafkajs'
import { Watermark } from './watermark.ts'

/** One delivered, unsettled record. */
export interface Entry {
  readonly offset: number
  readonly bytes: number
  readonly record: KafkaMessage
  /** A fresh copy each time. */
  readonly read: () => WireMessage
}

/** What a lane needs of its assignment. */
export interface LaneHost {
  readonly ordered: boolean
  /** No deliveries for now. */
  readonly held: boolean
  /** Hard: the partitions are not ours any more. */
  readonly signal: AbortSignal
  /** Soft: the partitions are being taken back. */
  readonly recalled: AbortSignal
  deliver(delivery: Delivery): Promise<Settlement>
  /** Keeps a copy with its notes; resolves when the broker has it, rejects when the lane is over. */
  deadLetter(lane: PartitionLane, entry: Entry, notes: WireHeaders): Promise<void>
  onFinished(lane: PartitionLane, entry: Entry): void
  onReturned(): void
  /** Reading of the partition stops until what was given back is out again. */
  stopReading(lane: PartitionLane): void
  goOnReading(lane: PartitionLane): void
  onDefect(lane: PartitionLane, text: string): void
}

const FIRST_BACKOFF_MS = 10
const MAX_BACKOFF_MS = 1_000

/**
 * One assigned partition: hands records out in order, takes settlements in any order. What is given back is delivered
 * again from memory, so that finished neighbours don't come twice: one by one, or for ordered services all together
 * and in order, after everything handed out has come back.
 */
export class PartitionLane {
  readonly topic: string
  readonly partition: number
  readonly watermark: Watermark
  committed: number | undefined
  readonly #host: LaneHost
  #recall = new AbortController()
  #recalled: AbortSignal
  readonly #open = new Map<number, Entry>()
  #returned: Entry[] = []
  #timer: NodeJS.Timeout | undefined
  #rounds = 0

  constructor(host: LaneHost, topic: string, partition: number, before: Watermark | undefined) {
    this.topic = topic
    this.partition = partition
    this.watermark = new Watermark(before)
    this.#host = host
    this.#recalled = AbortSignal.any([host.recalled, this.#recall.signal])
  }

  /** Whether new records may be handed out: nothing that belongs before them waits to go out again. */
  get flowing(): boolean {
    return !(this.#host.ordered && this.#returned.length > 0)
  }

  hand(entry: Entry): void {
    this.watermark.opened(entry.offset)
    this.#open.set(entry.offset, entry)
    this.#deliver(entry)
  }

  /** Tries to hand out again what was given back, after a pause for instance. */
  retry(): void {
    const { ordered, held, signal } = this.#host
    if (this.#returned.length === 0 || held || signal.aborted || this.#timer !== undefined) return
    if (ordered && this.#returned.length < this.#open.size) return
    const waitMs = this.#rounds === 0 ? 0 : Math.min(FIRST_BACKOFF_MS * 2 ** (this.#rounds - 1), MAX_BACKOFF_MS)
    this.#rounds += 1
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#handOutAgain()
    }, waitMs)
  }

  /** Everything handed out and not finished, given back or not. */
  get open(): Iterable<Entry> {
    return this.#open.values()
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#returned = []
  }

  #handOutAgain(): void {
    const { ordered, held, signal } = this.#host
    if (held || signal.aborted) return
    const entries = this.#returned.sort((a, b) => a.offset - b.offset)
    this.#returned = []
    if (ordered) {
      this.#recall = new AbortController()
      this.#recalled = AbortSignal.any([this.#host.recalled, this.#recall.signal])
    }
    for (const entry of entries) this.#deliver(entry)
    if (ordered) this.#host.goOnReading(this)
  }

  #deliver(entry: Entry): void {
    const delivery: Delivery = {
      message: entry.read(),
      attempt: 1,
      position: `${this.topic}/${this.partition}/${entry.offset}`,
      recalled: this.#recalled,
      signal: this.#host.signal,
    }
    let settling: Promise<Settlement>
    try {
      settling = Promise.resolve(this.#host.deliver(delivery))
    } catch (error) {
      settling = Promise.reject(error as Error)
    }
    settling.then(
      (settlement) => this.#settle(entry, settlement),
      () => {
        this.#host.onDefect(this, 'deliver rejected, which counts as release')
        this.#giveBack(entry)
      },
    )
  }

  #settle(entry: Entry, settlement: Settlement): void {
    // what comes after the partition was lost is somebody else's business
    if (this.#host.signal.aborted) return
    switch (settlement?.outcome) {
      case 'ack':
        return this.#finish(entry)
      case 'deadLetter':
        this.#host.deadLetter(this, entry, settlement.notes).then(
          () => this.#finish(entry),
          () => {},
        )
        return
      case 'release':
        return this.#giveBack(entry)
      default:
        this.#host.onDefect(
          this,
          `settlement ${JSON.stringify(settlement?.outcome)} is none of this transport's, which counts as release`,
        )
        this.#giveBack(entry)
    }
  }

  #finish(entry: Entry): void {
    if (this.#host.signal.aborted) return
    this.#rounds = 0
    this.watermark.finished(entry.offset)
    this.#open.delete(entry.offset)
    this.#host.onFinished(this, entry)
    this.retry()
  }

  #giveBack(entry: Entry): void {
    if (this.#host.signal.aborted) return
    this.#returned.push(entry)
    if (this.#host.ordered && !this.#recall.signal.aborted) {
      this.#host.stopReading(this)
      this.#recall.abort(new Error('given back: an earlier message of the partition was released'))
    }
    this.retry()
    this.#host.onReturned()
  }

  /** Delivered and not yet back in any way. */
  get outCount(): number {
    return this.#open.size - this.#returned.length
  }
}
