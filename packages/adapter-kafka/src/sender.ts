import type { Message, Producer } from 'kafkajs'
import type { Connection } from './connection.ts'
import { settled } from './deadline.ts'
import { behind, isTooLarge, publishError } from './fault.ts'
import { missingPartitions } from './partition-guard.ts'
import { missing, type Topology } from './topology.ts'
import type { KafkaRecord } from './wire.ts'

/** One record with its place chosen. */
export interface Outgoing {
  readonly topic: string
  readonly partition: number
  readonly record: KafkaRecord
  /** Of what must stay in order: later ones fail with an earlier one. */
  readonly lane: string | undefined
}

interface PartitionBatch<T extends Outgoing> {
  readonly topic: string
  readonly partition: number
  readonly items: readonly T[]
}

/** How old the knowledge that all topics of the producer exist may be before they are looked up again. */
const SURE_MS = 1_000
/** How often a partition may be missing from an answer before it counts as gone. */
const MISSING_ROUNDS = 5

/**
 * Sends one batch at a time and tells of each record whether the broker has it. The producer is replaced after every
 * failure: kafkajs takes back the sequence numbers of a failed request, and reusing those of records that were stored
 * all the same would make the broker take new records for repeated ones and drop them.
 */
export class Sender {
  readonly #connection: Connection
  readonly #topology: Pick<Topology, 'missingOf'>
  #producer: Promise<Producer> | undefined
  /** What the producer ever sent to: it looks all of them up together, and fails in all when one of them is gone. */
  #written = new Set<string>()
  #sureMs = 0

  constructor(connection: Connection, topology: Pick<Topology, 'missingOf'>) {
    this.#connection = connection
    this.#topology = topology
  }

  /** Never rejects; `settle` is called once for each item. */
  async send<T extends Outgoing>(items: readonly T[], settle: (item: T, error?: Error) => void): Promise<void> {
    let batches = await this.#withoutGone(byPartition(items), settle)
    for (let round = 0; batches.length > 0; round += 1) {
      let missing: readonly PartitionBatch<T>[]
      try {
        missing = missingPartitions(batches, await this.#sendBatch(batches))
      } catch (error) {
        if (isTooLarge(error)) await this.#sendApart(batches, settle)
        else {
          this.#drop()
          for (const { topic, items } of batches) for (const item of items) settle(item, publishError(topic, error))
        }
        return
      }
      for (const batch of batches) if (!missing.includes(batch)) for (const item of batch.items) settle(item)
      batches = [...missing]
      if (round >= MISSING_ROUNDS) {
        for (const { topic, partition, items } of batches) {
          const cause = new Error(`partition ${partition} of topic "${topic}" was not sent to`)
          const error = publishError(topic, cause, { scope: 'destination', retryable: true, mayExist: false })
          for (const item of items) settle(item, error)
        }
        return
      }
    }
  }

  async close(timeoutMs: number): Promise<void> {
    const producer = this.#producer
    this.#producer = undefined
    this.#written = new Set()
    if (producer)
      await settled(
        producer.then((client) => client.disconnect()),
        timeoutMs,
      )
  }

  /**
   * A topic that is gone would hold up every other one for seconds, the client trying again, and then fail them all.
   * So its messages fail here, and a producer that remembers it is given up.
   */
  async #withoutGone<T extends Outgoing>(
    batches: readonly PartitionBatch<T>[],
    settle: (item: T, error?: Error) => void,
  ): Promise<readonly PartitionBatch<T>[]> {
    const topics = new Set(batches.map(({ topic }) => topic))
    const isNew = [...topics].some((topic) => !this.#written.has(topic))
    if (!isNew && performance.now() - this.#sureMs < SURE_MS) return batches
    const gone = await this.#topology.missingOf([...new Set([...this.#written, ...topics])])
    this.#sureMs = performance.now()
    if ([...gone].some((topic) => this.#written.has(topic))) this.#drop()
    for (const { topic, items } of batches) {
      if (!gone.has(topic)) this.#written.add(topic)
      else for (const item of items) settle(item, missing(topic))
    }
    return batches.filter(({ topic }) => !gone.has(topic))
  }

  /**
   * The limit is one of a whole batch for a partition, and partitions that did fit are stored although the call failed.
   * On the same producer a repeated batch has the same sequence numbers, so those are not stored twice.
   */
  async #sendApart<T extends Outgoing>(
    batches: readonly PartitionBatch<T>[],
    settle: (item: T, error?: Error) => void,
  ): Promise<void> {
    for (const batch of batches) await this.#sendPart(batch, settle, new Map())
  }

  async #sendPart<T extends Outgoing>(
    { topic, partition, items }: PartitionBatch<T>,
    settle: (item: T, error?: Error) => void,
    failed: Map<string, Error>,
  ): Promise<void> {
    const rest = items.filter((item) => {
      const cause = item.lane === undefined ? undefined : failed.get(item.lane)
      if (cause !== undefined) settle(item, behind(topic, cause))
      return cause === undefined
    })
    if (rest.length === 0) return
    const batch = { topic, partition, items: rest }
    try {
      const missing = missingPartitions([batch], await this.#sendBatch([batch]))
      if (missing.length > 0) throw new Error(`partition ${partition} was not sent to`)
      for (const item of rest) settle(item)
    } catch (error) {
      if (isTooLarge(error) && rest.length > 1) {
        const half = rest.length >> 1
        await this.#sendPart({ topic, partition, items: rest.slice(0, half) }, settle, failed)
        await this.#sendPart({ topic, partition, items: rest.slice(half) }, settle, failed)
        return
      }
      if (!isTooLarge(error)) this.#drop()
      const failure = publishError(topic, error)
      for (const item of rest) {
        if (item.lane !== undefined) failed.set(item.lane, failure)
        settle(item, failure)
      }
    }
  }

  async #sendBatch(batches: readonly PartitionBatch<Outgoing>[]) {
    const producer = await (this.#producer ??= this.#connect())
    const topics = new Map<string, Message[]>()
    for (const { topic, partition, items } of batches) {
      let messages = topics.get(topic)
      if (messages === undefined) topics.set(topic, (messages = []))
      for (const { record } of items) {
        messages.push({ key: record.key, value: record.value, headers: record.headers, partition })
      }
    }
    return producer.sendBatch({ topicMessages: [...topics].map(([topic, messages]) => ({ topic, messages })) })
  }

  #connect(): Promise<Producer> {
    const connecting = (async () => {
      const producer = await this.#connection.producer()
      try {
        await producer.connect()
        return producer
      } catch (error) {
        void settled(producer.disconnect(), 5_000)
        throw error
      }
    })()
    connecting.catch(() => {
      if (this.#producer === connecting) this.#producer = undefined
    })
    return connecting
  }

  #drop(): void {
    void this.close(5_000)
  }
}

function byPartition<T extends Outgoing>(items: readonly T[]): readonly PartitionBatch<T>[] {
  const batches: PartitionBatch<T>[] = []
  const topics = new Map<string, Map<number, T[]>>()
  for (const item of items) {
    const { topic, partition } = item
    let partitions = topics.get(topic)
    if (partitions === undefined) topics.set(topic, (partitions = new Map()))
    const others = partitions.get(partition)
    if (others !== undefined) others.push(item)
    else {
      const first = [item]
      partitions.set(partition, first)
      batches.push({ topic, partition, items: first })
    }
  }
  return batches
}
