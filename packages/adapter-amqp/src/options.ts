import type { SecureContextOptions } from 'node:tls'
import { ConfigError, guardedLogger, systemPorts } from '@waybill/core'
import type { Destination, Logger, Ports, WireMessage } from '@waybill/core'
import type { AmqpConnection } from './client.ts'
import { SLOTS } from './shards.ts'

/** Options of `amqp`. One of `url`, `urls` and `connection` is needed; the rest has safe defaults. */
export interface AmqpOptions {
  /** `amqp://user:password@host:port/vhost`, or `amqps://`; user, password and vhost percent-encoded. */
  readonly url?: string | undefined
  /** The nodes of one cluster, tried in turn. */
  readonly urls?: readonly string[] | undefined
  /** A connection of amqplib that stays yours: it is not closed, and can't be made anew when it breaks. */
  readonly connection?: AmqpConnection | undefined
  /** Certificates for `amqps`; with `cert` and a url without a user, the certificate is the credential (EXTERNAL). */
  readonly tls?: AmqpTlsOptions | undefined
  /**
   * `declare` makes what is missing, `check` only looks, `none` takes all for granted.
   * @default 'declare'
   */
  readonly topology?: 'declare' | 'check' | 'none' | undefined
  /** Where messages of a wire type go, if not where their definition says. */
  readonly routes?: Readonly<Record<string, (message: WireMessage) => Destination>> | undefined
  /** The queue of a service, by service name. @default the service's name */
  readonly queues?: Readonly<Record<string, string>> | undefined
  /**
   * Further bindings of a queue, by its name, to exchanges of any type that others declare; they have to stand. So a
   * foreign producer's exchange is read, or each kind of receiver gets what a header says is for it.
   */
  readonly bindings?: Readonly<Record<string, readonly OwnBinding[]>> | undefined
  /** Further arguments of a queue, by its name, such as `x-max-length`; those that the adapter sets stay as they are. */
  readonly queueArguments?: Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined
  /**
   * Into how many queues, each with a single active consumer, the queue of an ordered service is divided by a hash of
   * the ordering key, so that as many instances work side by side; by name of the queue. Whoever sends keyed messages
   * straight to that queue gives the same number. 1 to 60.
   * @default 1
   * @see docs/decisions/0202
   */
  readonly shards?: Readonly<Record<string, number>> | undefined
  /** Messages that the broker may hand over ahead of time, per queue. @default the subscription's window */
  readonly prefetch?: number | undefined
  /**
   * How long to wait for the broker's confirm before the message counts as failed, and perhaps there.
   * @default 5_000 (milliseconds)
   * @see https://www.rabbitmq.com/docs/confirms
   */
  readonly confirmTimeoutMs?: number | undefined
  /** A dead peer is noticed within two of these. @default 15_000 (milliseconds, at least 1_000) */
  readonly heartbeatMs?: number | undefined
  /** @default 10_000 (milliseconds) */
  readonly connectTimeoutMs?: number | undefined
  /** Bounds of the pause between two tries to connect, doubled each time, with jitter. @default 200 and 1_500 */
  readonly reconnectMs?: { readonly first?: number | undefined; readonly max?: number | undefined } | undefined
  /**
   * `strict`: one unconfirmed message per ordering key. `pipelined`: many, which is faster, but when the broker refuses
   * one (a queue with a length limit is full, nobody is bound), later ones of its key that were already sent may stand.
   * @default 'strict'
   */
  readonly keyOrder?: 'strict' | 'pipelined' | undefined
  /** The waits of the retry queues; a delay takes the next longer one. @default 21 steps, 250 ms to an hour */
  readonly retryStepsMs?: readonly number[] | undefined
  /** Messages handed over and not confirmed; more are refused. @default 10_000 */
  readonly maxPendingMessages?: number | undefined
  /** @default 64 MiB */
  readonly maxPendingBytes?: number | undefined
  /** How a delivery's age is bounded; keep it under the broker's `consumer_timeout`. @default 1_500_000 (25 minutes) */
  readonly maxHoldMs?: number | undefined
  /** Replies go only to queues whose names begin so. @default ['waybill.reply.'] */
  readonly replyPrefixes?: readonly string[] | undefined
  /** Shown in the broker's list of connections. @default 'waybill' */
  readonly connectionName?: string | undefined
  /** @default silent */
  readonly logger?: Logger | undefined
  readonly ports?: Partial<Ports> | undefined
}

/** A binding to an exchange that stands. @see https://www.rabbitmq.com/docs/exchanges */
export interface OwnBinding {
  readonly exchange: string
  /** A pattern for a topic exchange, the key for a direct one. @default '' */
  readonly routingKey?: string | undefined
  /** What a headers exchange compares, with `x-match`. */
  readonly arguments?: Readonly<Record<string, unknown>> | undefined
}

export interface AmqpTlsOptions extends Pick<SecureContextOptions, 'ca' | 'cert' | 'key' | 'passphrase' | 'pfx'> {
  /** The name that the server's certificate must carry. @default the host of the url */
  readonly servername?: string | undefined
}

export const AMQP_DEFAULTS = Object.freeze({
  topology: 'declare' as const,
  confirmTimeoutMs: 5_000,
  heartbeatMs: 15_000,
  connectTimeoutMs: 10_000,
  reconnectMs: Object.freeze({ first: 200, max: 1_500 }),
  keyOrder: 'strict' as const,
  /** Each at most one and a half times the one before, so no wait is more than half as long again as asked. */
  retryStepsMs: Object.freeze([
    250, 500, 1_000, 1_500, 2_000, 3_000, 5_000, 7_500, 10_000, 15_000, 20_000, 30_000, 45_000, 60_000, 90_000, 120_000,
    180_000, 300_000, 600_000, 1_800_000, 3_600_000,
  ]) as readonly number[],
  maxPendingMessages: 10_000,
  maxPendingBytes: 64 * 1024 * 1024,
  maxHoldMs: 1_500_000,
  replyPrefixes: Object.freeze(['waybill.reply.']) as readonly string[],
  connectionName: 'waybill',
})

/** A broker's address; `label` is what may be shown. */
export interface Endpoint {
  readonly label: string
  readonly tls: boolean
  readonly host: string
  readonly port: number
  /** Percent-encoded, as amqplib decodes it. */
  readonly vhost: string
  readonly username: string | undefined
  readonly password: string | undefined
}

/** What the promises of a queue rest on. */
const ADAPTERS_ARGUMENTS: ReadonlySet<string> = new Set([
  'x-queue-type',
  'x-delivery-limit',
  'x-dead-letter-exchange',
  'x-dead-letter-routing-key',
  'x-dead-letter-strategy',
  'x-overflow',
  'x-single-active-consumer',
])

type Special = 'url' | 'urls' | 'connection' | 'tls' | 'prefetch' | 'reconnectMs' | 'ports'

/** Options with their defaults, checked. */
export type ResolvedOptions = {
  readonly [Field in Exclude<keyof AmqpOptions, Special>]-?: NonNullable<AmqpOptions[Field]>
} & {
  readonly endpoints: readonly Endpoint[]
  readonly connection: AmqpConnection | undefined
  readonly tls: AmqpTlsOptions | undefined
  readonly prefetch: number | undefined
  readonly reconnectMs: { readonly first: number; readonly max: number }
  readonly ports: Ports
}

/** @throws {ConfigError} naming the field, its value and its bound; never a password */
export function resolveOptions(options: AmqpOptions): ResolvedOptions {
  const ways = [options.url, options.urls, options.connection].filter((way) => way !== undefined)
  if (ways.length !== 1) throw new ConfigError('give exactly one of url, urls and connection')
  const urls = options.url === undefined ? (options.urls ?? []) : [options.url]
  if (options.connection === undefined && urls.length === 0) throw new ConfigError('urls is empty: give one at least')
  const resolved: ResolvedOptions = {
    endpoints: urls.map(parseUrl),
    connection: options.connection,
    tls: options.tls,
    topology: oneOf('topology', options.topology ?? AMQP_DEFAULTS.topology, ['declare', 'check', 'none']),
    keyOrder: oneOf('keyOrder', options.keyOrder ?? AMQP_DEFAULTS.keyOrder, ['strict', 'pipelined']),
    routes: Object.freeze({ ...options.routes }),
    queues: Object.freeze({ ...options.queues }),
    bindings: Object.freeze({ ...options.bindings }),
    queueArguments: Object.freeze({ ...options.queueArguments }),
    shards: Object.freeze({ ...options.shards }),
    prefetch: options.prefetch === undefined ? undefined : within('prefetch', options.prefetch, 1, 65_535),
    confirmTimeoutMs: milliseconds('confirmTimeoutMs', options.confirmTimeoutMs ?? AMQP_DEFAULTS.confirmTimeoutMs),
    heartbeatMs: within('heartbeatMs', options.heartbeatMs ?? AMQP_DEFAULTS.heartbeatMs, 1_000, 600_000),
    connectTimeoutMs: milliseconds('connectTimeoutMs', options.connectTimeoutMs ?? AMQP_DEFAULTS.connectTimeoutMs),
    reconnectMs: {
      first: milliseconds('reconnectMs.first', options.reconnectMs?.first ?? AMQP_DEFAULTS.reconnectMs.first),
      max: milliseconds('reconnectMs.max', options.reconnectMs?.max ?? AMQP_DEFAULTS.reconnectMs.max),
    },
    retryStepsMs: steps(options.retryStepsMs ?? AMQP_DEFAULTS.retryStepsMs),
    maxPendingMessages: within(
      'maxPendingMessages',
      options.maxPendingMessages ?? AMQP_DEFAULTS.maxPendingMessages,
      1,
      1_000_000,
    ),
    maxPendingBytes: within(
      'maxPendingBytes',
      options.maxPendingBytes ?? AMQP_DEFAULTS.maxPendingBytes,
      1,
      Number.MAX_SAFE_INTEGER,
    ),
    maxHoldMs: milliseconds('maxHoldMs', options.maxHoldMs ?? AMQP_DEFAULTS.maxHoldMs),
    replyPrefixes: Object.freeze([...(options.replyPrefixes ?? AMQP_DEFAULTS.replyPrefixes)]),
    connectionName: options.connectionName ?? AMQP_DEFAULTS.connectionName,
    logger: guardedLogger(options.logger),
    ports: { ...systemPorts, ...options.ports },
  }
  if (resolved.replyPrefixes.some((prefix) => prefix === '')) {
    throw new ConfigError('replyPrefixes holds an empty text, which would let replies go to any queue')
  }
  for (const name of Object.values(resolved.queues)) checkName('queues', name)
  for (const [name, own] of Object.entries(resolved.bindings)) {
    for (const { exchange } of own) checkName(`bindings["${name}"]`, exchange)
  }
  for (const [name, given] of Object.entries(resolved.queueArguments)) {
    const taken = Object.keys(given).find((key) => ADAPTERS_ARGUMENTS.has(key))
    if (taken !== undefined) throw new ConfigError(`queueArguments["${name}"] holds ${taken}, which the adapter sets`)
  }
  for (const [name, count] of Object.entries(resolved.shards)) within(`shards["${name}"]`, count, 1, SLOTS)
  return Object.freeze(resolved)
}

/** A name that RabbitMQ takes for a queue, an exchange or a routing key. */
export function checkName(field: string, name: string): void {
  const bytes = Buffer.byteLength(name)

  if (bytes === 0 || bytes > 255 || /[\u0000-\u001f]/.test(name)) {
    throw new ConfigError(`${field} ${JSON.stringify(name)}: give 1 to 255 bytes without control characters`)
  }
  if (name.startsWith('amq.'))
    throw new ConfigError(`${field} "${name}": names that begin with "amq." are the broker's`)
}

function parseUrl(url: string): Endpoint {
  // what URL throws holds the whole text, password and all, so it is not passed on
  if (!URL.canParse(url)) throw new ConfigError('url is not a URL: give amqp://user:password@host:port/vhost')
  const { protocol, hostname, port, pathname, username, password, searchParams } = new URL(url)
  if (protocol !== 'amqp:' && protocol !== 'amqps:') {
    throw new ConfigError(`url begins with ${protocol}//: give amqp:// or amqps://`)
  }
  if (hostname === '') throw new ConfigError('url has no host')
  if ([...searchParams.keys()].length > 0) {
    throw new ConfigError('url has parameters after "?": give them as options (heartbeatMs, connectTimeoutMs, tls)')
  }
  const tls = protocol === 'amqps:'
  const portNumber = port === '' ? (tls ? 5671 : 5672) : Number(port)
  const vhost = pathname.slice(1)
  return Object.freeze({
    label: `${protocol}//${hostname}:${portNumber}/${vhost}`,
    tls,
    host: hostname.replace(/^\[|\]$/g, ''),
    port: portNumber,
    vhost: vhost === '' ? '%2F' : encodeURIComponent(decoded('vhost', vhost)),
    username: username === '' ? undefined : decoded('user', username),
    password: password === '' ? undefined : decoded('password', password),
  })
}

function decoded(part: string, text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new ConfigError(`the ${part} in url is not percent-encoded: write each "%" as "%25"`)
  }
}

function oneOf<T extends string>(field: string, value: T, allowed: readonly T[]): T {
  if (!allowed.includes(value)) throw new ConfigError(`${field} is "${value}": give one of ${allowed.join(', ')}`)
  return value
}

function within(field: string, value: number, least: number, most: number): number {
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    throw new ConfigError(`${field} is ${value}: give a whole number from ${least} to ${most}`)
  }
  return value
}

function milliseconds(field: string, value: number): number {
  // 2^31 - 1 is where timers of Node wrap round to 1 ms
  if (!(value >= 1 && value <= 2_147_483_647)) {
    throw new ConfigError(`${field} is ${value}: give milliseconds from 1 to 2147483647`)
  }
  return value
}

function steps(given: readonly number[]): readonly number[] {
  if (given.length === 0) throw new ConfigError('retryStepsMs is empty: give one wait at least')
  for (const stepMs of given) within('retryStepsMs', stepMs, 1, 4_294_967_295)
  return Object.freeze([...given].sort((a, b) => a - b))
}
