import type { Consumer, EachBatchPayload } from 'kafkajs'
import type { Connection } from './connection.ts'
import { settled } from './deadline.ts'
import { gatedAssigner } from './join-gate.ts'
import type { ResolvedOptions } from './options.ts'

/** The most fetched batches that are handed on at once; each is of another partition. */
const BATCHES_AT_ONCE = 64

export interface GroupMember {
  readonly groupId: string
  readonly topics: readonly string[]
  readonly maxBytes: number
  /** Before anything else is called. */
  onOpen(consumer: GroupConsumer): void
  /** Positions of these partitions are ours from now on. */
  onAssigned(partitions: Readonly<Record<string, readonly number[]>>): void
  /** They are about to be taken back: resolves when everything is given back and committed. */
  beforeJoin(): Promise<void>
  onBatch(payload: EachBatchPayload): Promise<void>
  onFetch(): void
  /** The consumer is gone for good; somebody must make a new one. */
  onCrash(error: Error): void
}

export interface Offset {
  readonly topic: string
  readonly partition: number
  readonly offset: string
}

/** One life of a kafkajs consumer: it is never restarted, a new one is made. */
export class GroupConsumer {
  readonly #consumer: Consumer
  #tools: Pick<EachBatchPayload, 'heartbeat' | 'commitOffsetsIfNecessary'> | undefined
  #closing: Promise<void> | undefined

  private constructor(consumer: Consumer) {
    this.#consumer = consumer
  }

  static async open(connection: Connection, options: ResolvedOptions, member: GroupMember): Promise<GroupConsumer> {
    const { sessionTimeoutMs, rebalanceTimeoutMs, heartbeatMs } = options
    const consumer = await connection.consumer({
      groupId: member.groupId,
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: rebalanceTimeoutMs,
      heartbeatInterval: heartbeatMs,
      maxBytes: member.maxBytes,
      partitionAssigners: [gatedAssigner(() => member.beforeJoin())],
    })
    const self = new GroupConsumer(consumer)
    member.onOpen(self)
    const { GROUP_JOIN, FETCH, CRASH } = consumer.events
    consumer.on(GROUP_JOIN, ({ payload }) => member.onAssigned(payload.memberAssignment))
    consumer.on(FETCH, () => member.onFetch())
    consumer.on(CRASH, ({ payload }) => {
      if (self.#closing === undefined) member.onCrash(payload.error)
    })
    try {
      await consumer.connect()
      // from the beginning without a valid position: jumping to the end would pass over what a new partition holds
      await consumer.subscribe({ topics: [...member.topics], fromBeginning: true })
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: BATCHES_AT_ONCE,
        eachBatch: (payload) => {
          self.#tools = payload
          return member.onBatch(payload)
        },
      })
      return self
    } catch (error) {
      await self.close()
      throw error
    }
  }

  /** Rejects when the group rebalances or has given us up. */
  async heartbeat(): Promise<void> {
    await this.#tools?.heartbeat()
  }

  /** Straight to the coordinator where possible: the client's own `commitOffsets` repeats a failed commit under a later assignment. */
  async commit(offsets: readonly Offset[]): Promise<void> {
    if (this.#tools === undefined) return this.#consumer.commitOffsets([...offsets])
    const topics = [...new Set(offsets.map(({ topic }) => topic))].map((topic) => ({
      topic,
      partitions: offsets.filter((at) => at.topic === topic).map(({ partition, offset }) => ({ partition, offset })),
    }))
    await this.#tools.commitOffsetsIfNecessary({ topics })
  }

  seek(offset: Offset): void {
    this.#quietly(() => this.#consumer.seek(offset))
  }

  pause(topicPartitions: { topic: string; partitions?: number[] }[]): void {
    this.#quietly(() => this.#consumer.pause(topicPartitions))
  }

  resume(topicPartitions: { topic: string; partitions?: number[] }[]): void {
    this.#quietly(() => this.#consumer.resume(topicPartitions))
  }

  /** Leaves the group; never rejects, and never waits for more than `timeoutMs`. */
  close(timeoutMs = 5_000): Promise<void> {
    return (this.#closing ??= settled(this.#consumer.disconnect(), timeoutMs))
  }

  // between two lives of its inner group the client throws, and then there is nothing to seek, pause or resume
  #quietly(action: () => void): void {
    try {
      action()
    } catch {
      return
    }
  }
}
