import { setTimeout as delay } from 'node:timers/promises'
import { ConfigError, PublishError } from '@waybill/core'
import type { Admin, ITopicConfig, PartitionMetadata } from 'kafkajs'
import type { Connection } from './connection.ts'
import { connectError, isUnknownTopic, rootOf } from './fault.ts'
import type { ResolvedOptions } from './options.ts'

/** A topic that is needed, and how to make it if it is missing. */
export interface TopicNeed {
  readonly topic: string
  readonly partitions?: number | undefined
  readonly retentionMs?: number | undefined
  /** `false`: it is somebody else's to make. */
  readonly create?: boolean | undefined
}

export type Partitions = readonly PartitionMetadata[]

/** How long a send may wait for the answer whether its topics exist. */
const EXIST_MS = 1_000

/** Knows and creates topics. */
export class Topology {
  readonly #connection: Connection
  readonly #options: ResolvedOptions
  readonly #under = new Map<string, Promise<Partitions>>()

  constructor(connection: Connection, options: ResolvedOptions) {
    this.#connection = connection
    this.#options = options
  }

  /**
   * The partitions of a topic, created first where that is asked for and allowed. Calls for one topic share one look-up.
   * @throws {PublishError} scope destination: it does not exist; @throws {ConfigError} the broker refuses it
   */
  ensure(need: TopicNeed): Promise<Partitions> {
    const running = this.#under.get(need.topic)
    if (running) return running
    const work = this.#ensure(need).finally(() => this.#under.delete(need.topic))
    this.#under.set(need.topic, work)
    return work
  }

  async ensureAll(needs: readonly TopicNeed[]): Promise<void> {
    await Promise.all([...new Map(needs.map((need) => [need.topic, need])).values()].map((need) => this.ensure(need)))
  }

  async exists(topic: string): Promise<boolean> {
    return (await this.#lookUp(topic)) !== undefined
  }

  /** Those of the topics that are known not to exist; none where nobody can be asked. */
  async missingOf(topics: readonly string[]): Promise<ReadonlySet<string>> {
    // the answer for several names is one error if any is unknown, so only then each is asked for
    const known = await this.#exist(topics)
    if (known !== false) return new Set()
    const each = await Promise.all(topics.map((topic) => this.#exist([topic])))
    return new Set(topics.filter((_, index) => each[index] === false))
  }

  /** Best effort: a topic that stays behind is emptied by its retention. */
  async remove(topic: string): Promise<void> {
    await this.#connection.admin(`deletion of topic "${topic}"`, (admin) => admin.deleteTopics({ topics: [topic] }))
  }

  async #ensure(need: TopicNeed): Promise<Partitions> {
    const deadlineMs = performance.now() + this.#options.connectTimeoutMs
    const known = await this.#lookUp(need.topic)
    if (known?.every(({ leader }) => leader >= 0)) return known
    if (known === undefined) {
      if (need.create === false || this.#options.topology !== 'declare') throw missing(need.topic)
      await this.#create(need)
    }
    // the brokers learn of a new topic one after another
    for (let waitMs = 10; ; waitMs = Math.min(waitMs * 2, 250)) {
      const partitions = await this.#lookUp(need.topic)
      if (partitions?.length && partitions.every(({ leader }) => leader >= 0)) return partitions
      if (performance.now() > deadlineMs) throw missing(need.topic)
      await delay(waitMs)
    }
  }

  async #lookUp(topic: string): Promise<Partitions | undefined> {
    try {
      const answer = await this.#connection.admin(`look-up of topic "${topic}"`, (admin) =>
        admin.fetchTopicMetadata({ topics: [topic] }),
      )
      return answer.topics.find(({ name }) => name === topic)?.partitions
    } catch (error) {
      if (isUnknownTopic(error)) return undefined
      throw connectError(`look-up of topic "${topic}"`, error)
    }
  }

  async #exist(topics: readonly string[]): Promise<boolean | undefined> {
    try {
      const lookUp = (admin: Admin) => admin.fetchTopicMetadata({ topics: [...topics] })
      await this.#connection.admin('look-up of topics', lookUp, { timeoutMs: EXIST_MS })
      return true
    } catch (error) {
      return isUnknownTopic(error) ? false : undefined
    }
  }

  async #create({ topic, partitions = this.#options.partitions, retentionMs }: TopicNeed): Promise<void> {
    const config: ITopicConfig = {
      topic,
      numPartitions: partitions,
      replicationFactor: this.#options.replication ?? -1,
      configEntries: [
        // a sender whose clock is an hour ahead would be refused, and one behind would shorten the retention
        { name: 'message.timestamp.type', value: 'LogAppendTime' },
        ...(retentionMs === undefined ? [] : [{ name: 'retention.ms', value: String(retentionMs) }]),
      ],
    }
    try {
      await this.#connection.admin(`creation of topic "${topic}"`, (admin) =>
        admin.createTopics({ topics: [config], waitForLeaders: false }),
      )
    } catch (error) {
      const { type } = rootOf(error)
      if (type === 'TOPIC_ALREADY_EXISTS' || isUnknownTopic(error)) return
      throw connectError(`creation of topic "${topic}"`, error)
    }
  }
}

/** A topic that was looked up in vain. */
export function missing(topic: string): PublishError {
  return new PublishError(`topic "${topic}" does not exist: create it, or let topology be 'declare'`, {
    scope: 'destination',
    cause: new ConfigError(`topic "${topic}" does not exist`),
  })
}
