import type { ConnectionOptions } from 'node:tls'
import { ConfigError, guardedLogger, type Destination, type Logger, type WireMessage } from '@waybill/core'

/** The part of a kafkajs `Kafka` that is called. */
export interface KafkaClient {
  producer(config: object): object
  consumer(config: object): object
  admin(config?: object): object
}

export interface KafkaSasl {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
  readonly username: string
  readonly password: string
}

export interface KafkaOptions {
  /** `host:port` of some brokers; the others are found through them. Either this or `client`. */
  readonly brokers?: readonly string[] | undefined
  /** A kafkajs client of your own; it stays yours. What is made from it here is closed here. */
  readonly client?: KafkaClient | undefined
  /** How this process calls itself to the brokers. @default 'waybill' */
  readonly clientId?: string | undefined
  /** TLS: `true` for the system's authorities, or options of `node:tls`. @default false */
  readonly ssl?: boolean | ConnectionOptions | undefined
  readonly sasl?: KafkaSasl | undefined
  /** `declare` creates missing topics; `existing` refuses to work without them. @default 'declare' */
  readonly topology?: 'declare' | 'existing' | undefined
  /** Of topics created here; bounds how many instances of a service share the work. @default 6 */
  readonly partitions?: number | undefined
  /** Replicas of topics created here. @default the broker's `default.replication.factor` */
  readonly replication?: number | undefined
  /** Where messages of a type go instead of where their definition says. */
  readonly routes?: Readonly<Record<string, (message: WireMessage) => Destination>> | undefined
  /** How long one request to a broker may take, in milliseconds. @default 10_000 */
  readonly requestTimeoutMs?: number | undefined
  /** How long a publish may take without a `timeoutMs` of its own. @default 30_000 (milliseconds) */
  readonly publishTimeoutMs?: number | undefined
  /** How long the first connection may take. @default 10_000 (milliseconds) */
  readonly connectTimeoutMs?: number | undefined
  /** After how long partitions and their leaders are looked up again: the longest a frozen leader is asked in vain. @default 10_000 (milliseconds) */
  readonly metadataMaxAgeMs?: number | undefined
  /** How often finished positions are committed: the most that is delivered again after a crash. @default 200 (milliseconds) */
  readonly commitMs?: number | undefined
  /** How long a broker may hold an empty fetch, which is how long `stop` takes. @default 250 (milliseconds) */
  readonly maxWaitMs?: number | undefined
  /** Without a heartbeat for so long an instance loses its partitions. @default 10_000 (milliseconds) */
  readonly sessionTimeoutMs?: number | undefined
  /** How soon an instance notices that another one comes or goes. @default 1_000 (milliseconds) */
  readonly heartbeatMs?: number | undefined
  /** How long the others wait for an instance to finish its handlers and rejoin. @default 60_000 (milliseconds) */
  readonly rebalanceTimeoutMs?: number | undefined
  /**
   * The biggest body; a bigger one is refused before it is sent. Brokers and topics have a limit of their own.
   * @default 1_000_000
   * @see https://kafka.apache.org/41/configuration/topic-configs/#topicconfigs_max.message.bytes
   */
  readonly maxBodyBytes?: number | undefined
  /** Messages handed over and not confirmed; beyond, `publish` rejects. @default 10_000 */
  readonly maxPendingMessages?: number | undefined
  /** @default 67_108_864 (64 MiB) */
  readonly maxPendingBytes?: number | undefined
  /** @default silent */
  readonly logger?: Logger | undefined
}

export const DEFAULTS = Object.freeze({
  clientId: 'waybill',
  ssl: false,
  topology: 'declare',
  partitions: 6,
  routes: Object.freeze({}) as NonNullable<KafkaOptions['routes']>,
  requestTimeoutMs: 10_000,
  publishTimeoutMs: 30_000,
  connectTimeoutMs: 10_000,
  metadataMaxAgeMs: 10_000,
  commitMs: 200,
  maxWaitMs: 250,
  sessionTimeoutMs: 10_000,
  heartbeatMs: 1_000,
  rebalanceTimeoutMs: 60_000,
  maxBodyBytes: 1_000_000,
  maxPendingMessages: 10_000,
  maxPendingBytes: 64 * 1024 * 1024,
} as const)

type Optional = 'brokers' | 'client' | 'sasl' | 'replication'
export type ResolvedOptions = Readonly<
  Pick<KafkaOptions, Optional> & { [K in Exclude<keyof KafkaOptions, Optional>]-?: NonNullable<KafkaOptions[K]> }
>

const BOUNDS = {
  partitions: [1, 10_000],
  replication: [1, 100],
  requestTimeoutMs: [100, 600_000],
  publishTimeoutMs: [100, 3_600_000],
  connectTimeoutMs: [100, 600_000],
  metadataMaxAgeMs: [100, 3_600_000],
  commitMs: [1, 60_000],
  maxWaitMs: [1, 60_000],
  sessionTimeoutMs: [1_000, 3_600_000],
  heartbeatMs: [50, 600_000],
  rebalanceTimeoutMs: [1_000, 3_600_000],
  maxBodyBytes: [1, 1_000_000_000],
  maxPendingMessages: [1, 10_000_000],
  maxPendingBytes: [1_024, 2 ** 40],
} as const

/** @throws {ConfigError} names the field, the value and the bound */
export function resolveOptions(given: KafkaOptions): ResolvedOptions {
  const present = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const options = { ...DEFAULTS, ...present, logger: guardedLogger(given.logger) } as ResolvedOptions
  if ((options.brokers === undefined) === (options.client === undefined)) {
    throw new ConfigError('kafka() needs either brokers or client: give one of them')
  }
  const { brokers } = options
  if (
    brokers &&
    (brokers.length === 0 || brokers.some((broker) => !/^[^\s:/]+:\d{1,5}$|^\[[0-9a-fA-F:]+\]:\d{1,5}$/.test(broker)))
  ) {
    throw new ConfigError(`brokers is ${JSON.stringify(brokers)}: give at least one "host:port"`)
  }
  if (options.topology !== 'declare' && options.topology !== 'existing') {
    throw new ConfigError(`topology is ${JSON.stringify(options.topology)}: give 'declare' or 'existing'`)
  }
  for (const [field, [least, most]] of Object.entries(BOUNDS)) {
    const value = options[field as keyof typeof BOUNDS]
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= least && value <= most)) {
      throw new ConfigError(`${field} is ${value}: give a whole number from ${least} to ${most}`)
    }
  }
  if (options.heartbeatMs * 3 > options.sessionTimeoutMs) {
    throw new ConfigError(
      `heartbeatMs is ${options.heartbeatMs}: give at most a third of sessionTimeoutMs (${options.sessionTimeoutMs})`,
    )
  }
  return Object.freeze(options)
}
