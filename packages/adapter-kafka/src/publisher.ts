import {
  ClosedError,
  ConfigError,
  OverloadError,
  PublishError,
  TimeoutError,
  type CallOptions,
  type PublishFault,
  type WireMessage,
} from '@waybill/core'
import type { Connection } from './connection.ts'
import { settled } from './deadline.ts'
import { behind, publishError, rootOf } from './fault.ts'
import { Health } from './health.ts'
import type { ResolvedOptions } from './options.ts'
import { partitionOf } from './partition-of.ts'
import { Sender, type Outgoing } from './sender.ts'
import type { Partitions, TopicNeed, Topology } from './topology.ts'
import { topicOf } from './topic-names.ts'
import { sizeToSend, toRecord, type KafkaRecord } from './wire.ts'

/** The most that goes into one request, and of it to one partition: brokers take batches up to about 1 MB by default. */
const BATCH_MESSAGES = 2_000
const BATCH_BYTES = 8 * 1024 * 1024
const PARTITION_BYTES = 900_000
const MAY_NOT_EXIST = { scope: 'transport', retryable: true, mayExist: false } as const satisfies PublishFault
/** The one who asked is gone: nobody would be helped by a retry. */
const REPLY_GONE = { scope: 'message', retryable: false, mayExist: false } as const satisfies PublishFault

interface Entry extends Outgoing {
  partition: number
  readonly bytes: number
  readonly deadlineMs: number
  readonly timeoutMs: number
  readonly confirm: boolean
  readonly reply: boolean
  sent: boolean
  settle: ((error?: Error) => void) | undefined
}

interface TopicQueue {
  readonly need: TopicNeed
  readonly reply: boolean
  entries: Entry[]
  partitions: Partitions | undefined
  lookedUpMs: number
  lookingUp: boolean
}

/** Gathers messages into batches, one in flight, and keeps a promise for each. */
export class KafkaPublisher {
  readonly health = new Health('kafka publisher')
  readonly #topology: Topology
  readonly #options: ResolvedOptions
  readonly #sender: Sender
  readonly #topics = new Map<string, TopicQueue>()
  #pendingCount = 0
  #pendingBytes = 0
  #inFlight: readonly Entry[] = []
  #scheduled = false
  #sending: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #timerAtMs = Infinity
  /** Keys of which one was refused in this tick, with its error. */
  #refusedLanes = new Map<string, PublishError>()
  /** Of messages without a key, which go round the partitions. */
  #turn = Math.floor(Math.random() * 1_000)
  #closed = false

  constructor(connection: Connection, topology: Topology, options: ResolvedOptions) {
    this.#topology = topology
    this.#options = options
    this.#sender = new Sender(connection, topology)
  }

  publish(messages: readonly WireMessage[], options: CallOptions = {}): Promise<void>[] {
    return messages.map((message) => {
      let lane: string | undefined
      try {
        const destination = this.#options.routes[message.type]?.(message) ?? message.destination
        const reply = destination.kind === 'reply'
        const need = { topic: topicOf(destination), ...(reply && { create: false }) }
        if (message.orderingKey !== undefined) lane = laneOf(need.topic, message.orderingKey)
        const { maxBodyBytes } = this.#options
        if ((message.body?.byteLength ?? 0) > maxBodyBytes) {
          throw new ConfigError(`its body has ${message.body!.byteLength} bytes, maxBodyBytes is ${maxBodyBytes}`)
        }
        const record = toRecord(destination === message.destination ? message : { ...message, destination })
        return this.#enqueue(need, record, lane, options, { reply, confirm: message.confirm !== false })
      } catch (cause) {
        const text = `message "${message.id}" of type "${message.type}" can not be sent: ${rootOf(cause).message || String(cause)}`
        const error = new PublishError(text, { scope: 'message', retryable: false, cause })
        this.#refuseLane(lane, error)
        return Promise.reject(error)
      }
    })
  }

  /** Whoever is refused takes the later ones of its key along until the caller can have seen it. */
  #refuseLane(lane: string | undefined, error: PublishError): void {
    if (lane !== undefined) this.#refusedLanes.set(lane, error)
    this.#schedule()
  }

  /** Sends a record as it is, under the same bounds. */
  publishRecord(need: TopicNeed, record: KafkaRecord, options: CallOptions = {}): Promise<void> {
    const lane = record.key === null ? undefined : laneOf(need.topic, record.key.toString())
    return this.#enqueue(need, record, lane, options, { reply: false, confirm: true })
  }

  /** Takes no more, waits for what is handed over, and rejects the rest. */
  async close(drainTimeoutMs: number): Promise<void> {
    this.#closed = true
    const endMs = performance.now() + drainTimeoutMs
    while (this.#pendingCount > 0 && performance.now() < endMs) {
      await settled(this.#sending ?? new Promise((resolve) => setTimeout(resolve, 20)), endMs - performance.now())
    }
    const error = new PublishError('publish not confirmed: the Kafka transport was closed', {
      ...MAY_NOT_EXIST,
      cause: new ClosedError('the Kafka transport is closed'),
    })
    for (const queue of this.#topics.values()) for (const entry of queue.entries.splice(0)) entry.settle?.(error)
    for (const entry of this.#inFlight) entry.settle?.(withFault(error, { ...MAY_NOT_EXIST, mayExist: true }))
    clearTimeout(this.#timer)
    await this.#sender.close(5_000)
  }

  #enqueue(
    need: TopicNeed,
    record: KafkaRecord,
    lane: string | undefined,
    { signal, timeoutMs = this.#options.publishTimeoutMs }: CallOptions,
    { reply, confirm }: Pick<Entry, 'reply' | 'confirm'>,
  ): Promise<void> {
    const { topic } = need
    if (this.#closed)
      return Promise.reject(new ClosedError(`publish to topic "${topic}": the Kafka transport is closed`))
    if (signal?.aborted) return Promise.reject(signal.reason as Error)
    const bytes = sizeToSend(record)
    const refused = lane === undefined ? undefined : this.#refusedLanes.get(lane)
    if (refused !== undefined) return Promise.reject(behind(topic, refused))
    const { maxPendingMessages, maxPendingBytes } = this.#options
    const full = this.#pendingCount >= maxPendingMessages || this.#pendingBytes + bytes > maxPendingBytes
    if (full && this.#pendingCount > 0) {
      const bound = `maxPendingMessages (${maxPendingMessages}) or maxPendingBytes (${maxPendingBytes})`
      const text = `publish to topic "${topic}" refused: ${this.#pendingCount} messages wait for the broker: send slower or raise ${bound}`
      const error = new PublishError(text, { ...MAY_NOT_EXIST, cause: new OverloadError(`${bound} is reached`) })
      this.#refuseLane(lane, error)
      return Promise.reject(error)
    }
    this.#pendingCount += 1
    this.#pendingBytes += bytes
    return new Promise<void>((resolve, reject) => {
      const onAbort = () => this.#fail([[entry, signal!.reason as Error]])
      const entry: Entry = {
        topic,
        partition: -1,
        record,
        lane,
        bytes,
        deadlineMs: performance.now() + timeoutMs,
        timeoutMs,
        confirm,
        reply,
        sent: false,
        settle: (error) => {
          entry.settle = undefined
          this.#pendingCount -= 1
          this.#pendingBytes -= bytes
          signal?.removeEventListener('abort', onAbort)
          if (error === undefined) resolve()
          else reject(error)
        },
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#queueOf(need, reply).entries.push(entry)
      this.#arm(entry.deadlineMs)
      this.#schedule()
    })
  }

  #queueOf(need: TopicNeed, reply: boolean): TopicQueue {
    let queue = this.#topics.get(need.topic)
    if (queue === undefined) {
      queue = { need, reply, entries: [], partitions: undefined, lookedUpMs: -Infinity, lookingUp: false }
      this.#topics.set(need.topic, queue)
    }
    return queue
  }

  /** At the end of the tick, so that what is published together goes together. */
  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#refusedLanes.clear()
      this.#sendNext()
    })
  }

  #sendNext(): void {
    if (this.#sending) return
    const entries = this.#take()
    if (entries.length === 0) return
    this.#inFlight = entries
    const errors: [Entry, Error][] = []
    this.#sending = this.#sender
      .send(entries, (entry, error) => {
        if (error) errors.push([entry, entry.reply ? replyError(error) : error])
        else entry.settle?.()
      })
      .then(() => {
        this.#sending = undefined
        this.#inFlight = []
        this.#report(errors)
        this.#fail(errors)
        this.#sendNext()
      })
    for (const entry of entries) if (!entry.confirm) entry.settle?.()
  }

  /** The next batch: from the front of each topic whose partitions are known, as much as fits. */
  #take(): Entry[] {
    const batch: Entry[] = []
    let batchBytes = 0
    for (const queue of this.#topics.values()) {
      if (queue.entries.length === 0) {
        if (queue.reply) this.#topics.delete(queue.need.topic)
        continue
      }
      this.#lookUp(queue)
      const { partitions } = queue
      if (partitions === undefined) continue
      const partitionBytes = new Map<number, number>()
      let taken = 0
      for (const entry of queue.entries) {
        if (entry.settle !== undefined) {
          const alone = entry.bytes > PARTITION_BYTES
          if (batch.length >= BATCH_MESSAGES || batchBytes >= BATCH_BYTES || (alone && batch.length > 0)) break
          if (entry.partition < 0) entry.partition = this.#choose(entry.record, partitions)
          const bytes = (partitionBytes.get(entry.partition) ?? 0) + entry.bytes
          if (bytes > PARTITION_BYTES && !alone) break
          partitionBytes.set(entry.partition, bytes)
          batchBytes += entry.bytes
          entry.sent = true
          batch.push(entry)
          // a record that may be refused for its size must not take others along
          if (alone) batchBytes = Infinity
        }
        taken += 1
      }
      queue.entries.splice(0, taken)
    }
    return batch
  }

  #choose({ key }: KafkaRecord, partitions: Partitions): number {
    if (key !== null) return partitionOf(key, partitions.length)
    return partitions[this.#turn++ % partitions.length]!.partitionId
  }

  #lookUp(queue: TopicQueue): void {
    const { need } = queue
    if (queue.lookingUp || performance.now() - queue.lookedUpMs < this.#options.metadataMaxAgeMs) return
    queue.lookingUp = true
    this.#topology.ensure(need).then(
      (partitions) => {
        queue.lookingUp = false
        queue.lookedUpMs = performance.now()
        queue.partitions = partitions
        this.#sendNext()
      },
      (error: Error) => {
        queue.lookingUp = false
        queue.partitions = undefined
        queue.lookedUpMs = -Infinity
        const failed = queue.entries.splice(0).filter(({ settle }) => settle !== undefined)
        const fault = lookUpFault(error, queue.reply)
        this.#report(failed.map((entry) => [entry, publishError(need.topic, error, fault)]))
        for (const entry of failed) entry.settle?.(publishError(need.topic, error, fault))
      },
    )
  }

  /** Rejects entries, and with each what waits behind it under the same key. */
  #fail(failed: readonly (readonly [Entry, Error])[]): void {
    const lanes = new Map<string, Error>()
    const topics = new Set<string>()
    for (const [entry, error] of failed) {
      entry.settle?.(error)
      if (entry.lane === undefined) continue
      lanes.set(entry.lane, error)
      topics.add(entry.topic)
    }
    for (const topic of topics) {
      for (const later of this.#topics.get(topic)?.entries ?? []) {
        const cause = later.lane === undefined ? undefined : lanes.get(later.lane)
        if (cause !== undefined) later.settle?.(behind(topic, cause))
      }
    }
  }

  #arm(atMs: number): void {
    if (atMs >= this.#timerAtMs) return
    clearTimeout(this.#timer)
    this.#timerAtMs = atMs
    this.#timer = setTimeout(() => this.#expire(), Math.max(1, atMs - performance.now()))
    this.#timer.unref()
  }

  #expire(): void {
    this.#timerAtMs = Infinity
    const nowMs = performance.now()
    let nextMs = Infinity
    const expired: [Entry, Error][] = []
    const queues = [...this.#topics.values()].flatMap(({ entries }) => entries)
    for (const entry of [...this.#inFlight, ...queues]) {
      if (entry.settle === undefined) continue
      if (entry.deadlineMs > nowMs) nextMs = Math.min(nextMs, entry.deadlineMs)
      else {
        const text = `publish to topic "${entry.topic}" not confirmed within ${entry.timeoutMs} ms: check the brokers or raise publishTimeoutMs`
        const fault = { ...MAY_NOT_EXIST, mayExist: entry.sent }
        this.health.set('down', text)
        expired.push([entry, new PublishError(text, { ...fault, cause: new TimeoutError(text) })])
      }
    }
    this.#fail(expired)
    if (nextMs < Infinity) this.#arm(nextMs)
  }

  #report(errors: readonly (readonly [Entry, Error])[]): void {
    const transport = errors.find(([, error]) => (error as PublishError).fault?.scope === 'transport')
    if (transport) this.health.set('down', transport[1].message)
    else if (errors.length === 0) this.health.set('up')
  }
}

/** Where order is kept: one key of one topic. */
function laneOf(topic: string, key: string): string {
  return `${topic}\n${key}`
}

function lookUpFault(error: unknown, reply: boolean): PublishFault {
  const given = (error as { fault?: PublishFault }).fault
  if (given?.scope === 'destination') {
    return reply ? REPLY_GONE : given
  }
  if ((error as { code?: unknown }).code === 'CONFIG') return { scope: 'destination', retryable: true, mayExist: false }
  return MAY_NOT_EXIST
}

function replyError(error: Error): Error {
  if (!(error instanceof PublishError) || error.fault.scope !== 'destination') return error
  return withFault(error, { ...REPLY_GONE, mayExist: error.fault.mayExist })
}

function withFault(error: PublishError, fault: PublishFault): PublishError {
  return new PublishError(error.message, { ...fault, cause: error.cause })
}
