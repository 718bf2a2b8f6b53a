import { setTimeout as delay } from 'node:timers/promises'
import {
  subjectMatches,
  type Capabilities,
  type Delivery,
  type Destination,
  type Settlement,
  type SubscribeOptions,
  type Subscription,
} from '@waybill/core'
import type { EachBatchPayload, KafkaMessage } from 'kafkajs'
import { Assignment, type AssignmentHost } from './assignment.ts'
import type { Connection } from './connection.ts'
import { DeadLetters } from './dead-letters.ts'
import { settled } from './deadline.ts'
import { connectError, isEvicted, rootOf } from './fault.ts'
import { GroupConsumer, type GroupMember, type Offset } from './group-consumer.ts'
import { Health } from './health.ts'
import type { ResolvedOptions } from './options.ts'
import type { Entry, PartitionLane } from './partition-lane.ts'
import type { KafkaPublisher } from './publisher.ts'
import { startPositions, unsavedPartitions, type Positions } from './start-position.ts'
import { untilConnected } from './until-connected.ts'
import type { Watermark } from './watermark.ts'
import { Window } from './window.ts'
import { fromRecord, sizeOf } from './wire.ts'

/** One topic that is read, and which of its messages are wanted. */
export interface TopicSource {
  readonly topic: string
  readonly destination: Destination
  readonly subjects: readonly string[] | undefined
}

export interface SubscriberSetup {
  readonly connection: Connection
  readonly publisher: KafkaPublisher
  readonly options: ResolvedOptions
  readonly groupId: string
  readonly sources: ReadonlyMap<string, TopicSource>
  readonly subscribe: SubscribeOptions
  readonly capabilities: Capabilities
  readonly deliver: (delivery: Delivery) => Promise<Settlement>
  /** Called once, after the last thing was given back. */
  readonly onStopped: () => Promise<void>
}

const FIRST_RESTART_MS = 100
const MAX_RESTART_MS = 5_000
/** Of the time that others wait for us in a rebalance, how much handlers may use to finish. */
const DRAIN_SHARE = 0.75

/** Reads as one member of a consumer group, makes itself anew after every crash, and keeps the window and the positions. */
export class Subscriber implements Subscription, GroupMember {
  readonly capabilities: Capabilities
  readonly ended: Promise<undefined>
  readonly health: Health
  readonly groupId: string
  readonly topics: readonly string[]
  readonly maxBytes: number
  readonly #setup: SubscriberSetup
  readonly #window: Window
  readonly #deadLetters: DeadLetters
  readonly #finished = new Map<string, Watermark>()
  #consumer: GroupConsumer | undefined
  #assignment: Assignment | undefined
  #starts: Positions | undefined
  #paused = false
  #stopping: Promise<void> | undefined
  #end!: () => void
  #ready: { resolve: () => void; reject: (error: Error) => void } | undefined
  #commitTimer: NodeJS.Timeout | undefined
  #committing: Promise<void> | undefined
  #restartTimer: NodeJS.Timeout | undefined
  #restartMs = FIRST_RESTART_MS

  constructor(setup: SubscriberSetup) {
    const { subscribe, groupId } = setup
    this.#setup = setup
    this.groupId = groupId
    this.topics = [...setup.sources.keys()]
    this.maxBytes = Math.min(Math.max(subscribe.maxOpenBytes, 1024 * 1024), 10 * 1024 * 1024)
    this.capabilities = setup.capabilities
    this.health = new Health(`kafka service "${subscribe.service}"`)
    this.#window = new Window(subscribe.maxOpen, subscribe.maxOpenBytes)
    this.#deadLetters = new DeadLetters(setup.publisher, subscribe.service, this.health)
    this.ended = new Promise((resolve) => (this.#end = () => resolve(undefined)))
  }

  /** Resolves after the first fetch; tries again until the time to connect is over, unless a setting is wrong. */
  async start(): Promise<void> {
    const { options, connection, subscribe } = this.#setup
    try {
      await untilConnected({
        what: `subscription of service "${subscribe.service}"`,
        timeoutMs: options.connectTimeoutMs,
        isOver: () => this.#stopping !== undefined,
        work: async () => {
          this.#starts ??= await startPositions(connection, this.topics, subscribe.start)
          await this.#open()
        },
      })
    } catch (error) {
      await this.stop({ drainTimeoutMs: 0 })
      throw error
    }
  }

  async #open(): Promise<void> {
    const ready = new Promise<void>((resolve, reject) => (this.#ready = { resolve, reject }))
    ready.catch(() => {})
    const { connection, options } = this.#setup
    await GroupConsumer.open(connection, options, this)
    await ready
    this.health.set('up')
    this.#restartMs = FIRST_RESTART_MS
  }

  // ---- what the group tells

  onOpen(consumer: GroupConsumer): void {
    this.#consumer = consumer
    if (this.#stopping) void consumer.close()
  }

  onAssigned(partitions: Readonly<Record<string, readonly number[]>>): void {
    this.#giveUp(new Error('the group has a new assignment'))
    if (this.#stopping) return
    const assignment = new Assignment(this.#host(), this.#finished)
    this.#assignment = assignment
    if (this.#starts) {
      assignment.positioned = this.#position(assignment, partitions, this.#starts)
      assignment.positioned.catch(() => {})
    }
    // the client forgets pauses when it is made anew, and keeps those of lanes that are gone
    this.#consumer?.resume(this.topics.map((topic) => ({ topic })))
    if (this.#paused) this.#consumer?.pause(this.topics.map((topic) => ({ topic })))
  }

  /** Joining is not being ready: positions are looked up afterwards, with the first fetch. */
  onFetch(): void {
    const ready = this.#ready
    if (ready === undefined || this.#assignment === undefined) return
    this.#ready = undefined
    this.#assignment.positioned.then(ready.resolve, ready.reject)
  }

  async beforeJoin(): Promise<void> {
    const assignment = this.#assignment
    if (assignment === undefined) return
    const { options } = this.#setup
    assignment.recall(new Error('the group rebalances'))
    const endMs = performance.now() + options.rebalanceTimeoutMs * DRAIN_SHARE
    if ((await this.#commit(assignment)) !== 'lost') {
      while (assignment.outCount > 0 && !assignment.signal.aborted && performance.now() < endMs) {
        await settled(assignment.idle(), options.heartbeatMs)
        try {
          await this.#consumer?.heartbeat()
        } catch (error) {
          if (isEvicted(error)) break
        }
      }
      await this.#commit(assignment)
    }
    if (this.#assignment === assignment) this.#giveUp(new Error('the group rebalances'))
  }

  async onBatch(payload: EachBatchPayload): Promise<void> {
    const assignment = this.#assignment
    if (assignment === undefined || this.#stopping) return
    await assignment.positioned
    const { topic, partition, messages } = payload.batch
    const source = this.#setup.sources.get(topic)
    const lane = assignment.lane(topic, partition)
    const { ackBefore } = this.#setup.subscribe
    const goesOn = () =>
      this.#assignment === assignment && !assignment.held && lane.flowing && payload.isRunning() && !payload.isStale()
    if (messages[0] && lane.watermark.wentBack(Number(messages[0].offset)) && goesOn()) {
      return this.onCrash(new Error(`topic "${topic}" was made anew under the subscription`))
    }
    for (const record of messages) {
      const offset = Number(record.offset)
      while (goesOn() && !this.#window.hasRoom) {
        await this.#window.changed(this.#setup.options.heartbeatMs)
        await payload.heartbeat()
      }
      if (!goesOn()) return
      const entry = source && !lane.watermark.isFinished(offset) ? entryOf(record, offset, source) : undefined
      payload.resolveOffset(record.offset)
      if (entry === undefined) lane.watermark.passed(offset)
      else if (ackBefore) await this.#handOver(assignment, lane, entry)
      else {
        this.#window.take(entry.bytes)
        lane.hand(entry)
      }
    }
    // markers of transactions at the end of a batch are nobody's to settle
    if (goesOn()) lane.watermark.passed(Number(payload.batch.lastOffset()))
    this.#commitSoon()
  }

  onCrash(error: Error): void {
    const text = rootOf(error).type || rootOf(error).message
    this.health.set('down', `consumer failed: ${text}`)
    this.#warn({ reason: text }, 'consumer failed, it is made anew')
    this.#giveUp(error)
    void this.#consumer?.close()
    this.#consumer = undefined
    if (this.#ready) {
      this.#ready.reject(error)
      this.#ready = undefined
    } else this.#restart()
  }

  // ---- positions

  /** At most once: the position is saved before the message is handed over, and what becomes of it does not matter. */
  async #handOver(assignment: Assignment, lane: PartitionLane, entry: Entry): Promise<void> {
    lane.watermark.passed(entry.offset)
    while ((await this.#commit(assignment)) !== 'saved') {
      if (assignment.signal.aborted) return
      await delay(this.#setup.options.commitMs)
    }
    this.#window.take(entry.bytes)
    const { topic, partition } = lane
    const { recalled, signal } = assignment
    const position = `${topic}/${partition}/${entry.offset}`
    const free = () => this.#window.free(entry.bytes)
    this.#setup.deliver({ message: entry.read(), attempt: 1, position, recalled, signal }).then(free, free)
  }

  /** Partitions without a saved position begin where `start` says; that place is saved at once. */
  async #position(
    assignment: Assignment,
    assigned: Readonly<Record<string, readonly number[]>>,
    starts: Positions,
  ): Promise<void> {
    for (const { topic, partition } of await unsavedPartitions(this.#setup.connection, this.groupId, assigned)) {
      const offset = starts.get(topic)?.get(partition)
      if (offset === undefined || assignment.signal.aborted) continue
      this.#consumer?.seek({ topic, partition, offset })
      assignment.lane(topic, partition).watermark.begin(Number(offset))
    }
    this.#commitSoon()
  }

  #commitSoon(): void {
    if (this.#commitTimer !== undefined || this.#stopping) return
    this.#commitTimer = setTimeout(() => {
      this.#commitTimer = undefined
      if (this.#assignment) void this.#commit(this.#assignment)
    }, this.#setup.options.commitMs)
  }

  /** Saves finished positions. `lost`: the group has given our partitions away. */
  async #commit(assignment: Assignment): Promise<'saved' | 'failed' | 'lost'> {
    await this.#committing
    if (assignment.signal.aborted) return 'lost'
    const moved = assignment.uncommitted()
    const consumer = this.#consumer
    if (consumer === undefined || moved.length === 0) return 'saved'
    const offsets: Offset[] = moved.map(({ topic, partition, offset }) => ({ topic, partition, offset }))
    let outcome: 'saved' | 'failed' | 'lost' = 'failed'
    const work = consumer.commit(offsets).then(
      () => {
        outcome = 'saved'
        for (const { lane, low } of moved) lane.committed = low
      },
      (error: unknown) => {
        // tried again with what is finished by then
        if (isEvicted(error)) outcome = 'lost'
        else this.#commitSoon()
      },
    )
    this.#committing = settled(work, this.#setup.options.requestTimeoutMs)
    await this.#committing
    this.#committing = undefined
    return outcome
  }

  // ---- life

  pause(): void {
    this.#paused = true
    this.#consumer?.pause(this.topics.map((topic) => ({ topic })))
    this.#window.wake()
  }

  resume(): void {
    if (!this.#paused || this.#stopping) return
    this.#paused = false
    this.#consumer?.resume(this.topics.map((topic) => ({ topic })))
    for (const [, lane] of this.#assignment?.lanes ?? []) {
      if (!lane.flowing) this.#consumer?.pause([{ topic: lane.topic, partitions: [lane.partition] }])
      lane.retry()
    }
  }

  stop(options: { readonly drainTimeoutMs?: number | undefined } = {}): Promise<void> {
    return (this.#stopping ??= this.#stop(options.drainTimeoutMs ?? 10_000))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #stop(drainTimeoutMs: number): Promise<void> {
    clearTimeout(this.#restartTimer)
    clearTimeout(this.#commitTimer)
    this.#consumer?.pause(this.topics.map((topic) => ({ topic })))
    this.#window.wake()
    const assignment = this.#assignment
    const reason = new Error('the subscription is stopped')
    if (assignment) {
      assignment.recall(reason)
      await settled(assignment.idle(), drainTimeoutMs)
      await this.#commit(assignment)
    }
    this.#ready?.reject(reason)
    this.#giveUp(reason)
    await this.#consumer?.close()
    await this.#setup.onStopped().catch(() => {})
    this.#end()
  }

  #restart(): void {
    if (this.#stopping) return
    const waitMs = this.#restartMs * (0.5 + Math.random() / 2)
    this.#restartMs = Math.min(this.#restartMs * 2, MAX_RESTART_MS)
    this.#restartTimer = setTimeout(() => {
      this.#open().catch((error: unknown) => {
        this.health.set(
          'down',
          connectError(`subscription of service "${this.#setup.subscribe.service}"`, error).message,
        )
        this.#restart()
      })
    }, waitMs)
  }

  /** The assignment is over: nothing of it counts, what it finished is remembered, its place in the window is free. */
  #giveUp(reason: Error): void {
    const assignment = this.#assignment
    if (assignment === undefined) return
    this.#assignment = undefined
    for (const [name, lane] of assignment.lanes) {
      this.#finished.set(name, lane.watermark)
      for (const { bytes } of lane.open) this.#window.free(bytes)
    }
    assignment.end(reason)
  }

  #host(): AssignmentHost {
    const isHeld = () => this.#paused || this.#stopping !== undefined
    return {
      ordered: this.#setup.subscribe.mode === 'ordered',
      get held() {
        return isHeld()
      },
      deliver: (delivery) => this.#setup.deliver(delivery),
      deadLetter: ({ topic, partition }, { record, offset }, notes, signal) =>
        this.#deadLetters.keep(record, `${topic}/${partition}/${offset}`, notes, signal),
      onFinished: (_lane, entry) => {
        this.#window.free(entry.bytes)
        this.#commitSoon()
      },
      stopReading: ({ topic, partition }) => this.#consumer?.pause([{ topic, partitions: [partition] }]),
      goOnReading: ({ topic, partition }) => {
        if (!this.#paused) this.#consumer?.resume([{ topic, partitions: [partition] }])
      },
      onDefect: ({ topic, partition }, text) => this.#warn({ topic, partition }, text),
    }
  }

  #warn(fields: object, text: string): void {
    this.#setup.options.logger.warn({ service: this.#setup.subscribe.service, ...fields }, text)
  }
}

function entryOf(record: KafkaMessage, offset: number, source: TopicSource): Entry | undefined {
  const read = () => fromRecord(record, source.destination)
  const { subjects } = source
  if (subjects) {
    const subject = read().destination.subject ?? ''
    if (!subjects.some((pattern) => subjectMatches(pattern, subject))) return undefined
  }
  return { offset, bytes: sizeOf(record), record, read }
}
