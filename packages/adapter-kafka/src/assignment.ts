import type { Delivery, Settlement, WireHeaders } from '@waybill/core'
import { PartitionLane, type Entry, type LaneHost } from './partition-lane.ts'
import type { Offset } from './group-consumer.ts'
import type { Watermark } from './watermark.ts'

export interface AssignmentHost extends Omit<LaneHost, 'signal' | 'recalled' | 'onReturned' | 'deadLetter'> {
  deadLetter(lane: PartitionLane, entry: Entry, notes: WireHeaders, signal: AbortSignal): Promise<void>
}

/** The partitions that the group gave us, from one join to the next. */
export class Assignment implements LaneHost {
  readonly #host: AssignmentHost
  readonly #before: ReadonlyMap<string, Watermark>
  readonly #lanes = new Map<string, PartitionLane>()
  readonly #recall = new AbortController()
  readonly #end = new AbortController()
  #idle: (() => void)[] = []
  /** Resolves when each partition's first position is known. */
  positioned: Promise<void> = Promise.resolve()

  constructor(host: AssignmentHost, before: ReadonlyMap<string, Watermark>) {
    this.#host = host
    this.#before = before
  }

  readonly signal = this.#end.signal
  readonly recalled = this.#recall.signal
  get ordered(): boolean {
    return this.#host.ordered
  }
  get held(): boolean {
    return this.#host.held || this.#recall.signal.aborted
  }
  get outCount(): number {
    let count = 0
    for (const lane of this.#lanes.values()) count += lane.outCount
    return count
  }

  deliver(delivery: Delivery): Promise<Settlement> {
    return this.#host.deliver(delivery)
  }
  deadLetter: LaneHost['deadLetter'] = (lane, entry, notes) => this.#host.deadLetter(lane, entry, notes, this.signal)
  onFinished: LaneHost['onFinished'] = (lane, entry) => {
    this.#host.onFinished(lane, entry)
    this.onReturned()
  }
  onReturned(): void {
    if (this.#idle.length === 0 || this.outCount > 0) return
    for (const resolve of this.#idle.splice(0)) resolve()
  }
  stopReading: LaneHost['stopReading'] = (lane) => this.#host.stopReading(lane)
  goOnReading: LaneHost['goOnReading'] = (lane) => this.#host.goOnReading(lane)
  onDefect: LaneHost['onDefect'] = (lane, text) => this.#host.onDefect(lane, text)

  lane(topic: string, partition: number): PartitionLane {
    const name = `${topic}/${partition}`
    let lane = this.#lanes.get(name)
    if (lane === undefined) {
      lane = new PartitionLane(this, topic, partition, this.#before.get(name))
      this.#lanes.set(name, lane)
    }
    return lane
  }

  get lanes(): Iterable<[string, PartitionLane]> {
    return this.#lanes
  }

  /** Positions that moved since they were last committed. */
  uncommitted(): (Offset & { readonly lane: PartitionLane; readonly low: number })[] {
    const offsets = []
    for (const lane of this.#lanes.values()) {
      const { low } = lane.watermark
      if (low === undefined || low === lane.committed) continue
      offsets.push({ lane, low, topic: lane.topic, partition: lane.partition, offset: String(low) })
    }
    return offsets
  }

  /** Soft: what is not started comes back, what runs may finish. */
  recall(reason: Error): void {
    this.#recall.abort(reason)
  }

  /** Resolves when nothing is out any more, or the assignment is over. */
  idle(): Promise<void> {
    if (this.outCount === 0 || this.#end.signal.aborted) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  /** Hard: nothing of it counts any more. */
  end(reason: Error): void {
    if (this.#end.signal.aborted) return
    this.#recall.abort(reason)
    this.#end.abort(reason)
    for (const lane of this.#lanes.values()) lane.close()
    for (const resolve of this.#idle.splice(0)) resolve()
  }
}
