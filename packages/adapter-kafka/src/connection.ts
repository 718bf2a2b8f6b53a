import { ClosedError, type Logger } from '@waybill/core'
import {
  Kafka,
  logLevel,
  Partitioners,
  type Admin,
  type Consumer,
  type ConsumerConfig,
  type KafkaConfig,
  type Producer,
  type SASLOptions,
} from 'kafkajs'
import { settled, within } from './deadline.ts'
import { connectError, rootOf } from './fault.ts'
import { beatThroughClockChanges } from './heartbeat-clock.ts'
import { quietIdleTimers } from './idle-timer.ts'
import type { ResolvedOptions } from './options.ts'

/** How long a client may take to close before it is left to itself. */
const CLOSE_MS = 5_000

/** Makes producers, consumers and the one admin, and closes them. */
export class Connection {
  readonly #options: ResolvedOptions
  #admin: Promise<Admin> | undefined
  #ready: Promise<unknown> | undefined
  readonly #underWay = new Set<Promise<unknown>>()
  #closed = false

  constructor(options: ResolvedOptions) {
    this.#options = options
  }

  async producer(): Promise<Producer> {
    const client = await this.#client()
    return client.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      metadataMaxAge: this.#options.metadataMaxAgeMs,
      createPartitioner: Partitioners.DefaultPartitioner,
      // bounded, so that a topic deleted under us can't hold all others up; a failed producer is never used again
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 10 },
    })
  }

  async consumer(config: ConsumerConfig): Promise<Consumer> {
    const client = await this.#client()
    return client.consumer({
      allowAutoTopicCreation: false,
      metadataMaxAge: this.#options.metadataMaxAgeMs,
      maxWaitTimeInMs: this.#options.maxWaitMs,
      // restarts are ours: the client's own wait up to 11 s and lose what failed for good
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5, restartOnFailure: () => Promise.resolve(false) },
      ...config,
    })
  }

  /** One call to the brokers through the shared admin, which is made anew after a lost connection. */
  async admin<T>(
    what: string,
    work: (admin: Admin) => Promise<T>,
    options: { timeoutMs?: number; signal?: AbortSignal | undefined } = {},
  ): Promise<T> {
    const { timeoutMs = this.#options.requestTimeoutMs, signal } = options
    if (this.#closed) throw new ClosedError(`${what}: the Kafka transport is closed`)
    const run = async () => {
      const connecting = (this.#admin ??= this.#connectAdmin())
      try {
        return await work(await connecting)
      } catch (error) {
        if (/Connection|Broker|Timeout/.test(rootOf(error).name)) this.#dropAdmin(connecting)
        throw error
      }
    }
    const running = run()
    this.#underWay.add(running)
    const done = () => void this.#underWay.delete(running)
    running.then(done, done)
    return within(running, { timeoutMs, signal, what, option: 'requestTimeoutMs' })
  }

  async close(): Promise<void> {
    this.#closed = true
    const admin = this.#admin
    this.#admin = undefined
    // a call that is disconnected under way connects again, and nobody would close that
    await settled(Promise.all(this.#underWay), CLOSE_MS)
    if (admin)
      await settled(
        admin.then((client) => client.disconnect()),
        CLOSE_MS,
      )
  }

  async #connectAdmin(): Promise<Admin> {
    const client = await this.#client()
    const admin = client.admin({ retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 5 } })
    try {
      await admin.connect()
      return admin
    } catch (error) {
      void settled(admin.disconnect(), CLOSE_MS)
      throw connectError('connection to Kafka', error)
    }
  }

  #dropAdmin(connecting: Promise<Admin>): void {
    if (this.#admin !== connecting) return
    this.#admin = undefined
    void settled(
      connecting.then((client) => client.disconnect()),
      CLOSE_MS,
    )
  }

  /** A client of its own for each part: kafkajs shares a cache of committed positions within one. */
  async #client(): Promise<Kafka> {
    if (this.#closed) throw new ClosedError('the Kafka transport is closed')
    const { client } = this.#options
    if (client) return client as unknown as Kafka
    this.#ready ??= Promise.all([quietIdleTimers(), beatThroughClockChanges()])
    await this.#ready
    return new Kafka(clientConfig(this.#options))
  }
}

/** The settings that all clients made here share. */
export function clientConfig(options: ResolvedOptions): KafkaConfig {
  const { brokers, ssl, sasl, clientId, requestTimeoutMs, connectTimeoutMs, logger } = options
  return {
    brokers: [...brokers!],
    clientId,
    ...(ssl !== false && { ssl }),
    ...(sasl && { sasl: sasl as SASLOptions }),
    requestTimeout: requestTimeoutMs,
    connectionTimeout: Math.min(connectTimeoutMs, 3_000),
    retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 5 },
    logLevel: logLevel.WARN,
    logCreator: () => forward(logger),
  }
}

/** The client's own lines are details to us: what matters is told by health, rejections and our own lines. */
function forward(logger: Logger) {
  return ({ namespace, log }: { namespace: string; log: { message: string; error?: unknown } }) => {
    const { message, error } = log
    logger.debug({ namespace, ...(typeof error === 'string' && { error }) }, `kafkajs: ${message}`)
  }
}
