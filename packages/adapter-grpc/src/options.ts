import { ConfigError, guardedLogger, systemPorts, type Logger, type Ports } from '@waybill/core'

/** Bounds and keepalive of both sides; each side states its own. */
export interface ConnectionOptions {
  /** A bigger message is refused before it is written, and ends the stream when it is received. @default 4_194_304 */
  readonly maxMessageBytes?: number | undefined
  /** Messages of one stream written and not yet taken by the peer; one more is an `OverloadError`. @default 1_000 */
  readonly maxPendingSends?: number | undefined
  /** A ping after so long without traffic, in milliseconds. @default 30_000 */
  readonly keepaliveMs?: number | undefined
  /** No answer to a ping within this and the connection counts as lost. @default 10_000 (milliseconds) */
  readonly keepaliveTimeoutMs?: number | undefined
  /** @default silent */
  readonly logger?: Logger | undefined
  readonly ports?: Partial<Ports> | undefined
}

export interface ResolvedConnection {
  readonly maxMessageBytes: number
  readonly maxPendingSends: number
  readonly keepaliveMs: number
  readonly keepaliveTimeoutMs: number
  readonly logger: Logger
  readonly ports: Ports
}

const defaults = {
  maxMessageBytes: 4 * 1_024 * 1_024,
  maxPendingSends: 1_000,
  keepaliveMs: 30_000,
  keepaliveTimeoutMs: 10_000,
}

/** A timer's longest delay; a longer one would fire at once. */
const longestMs = 2 ** 31 - 1

/** @throws {ConfigError} naming the field, the value and the bound */
export function resolveConnection(options: ConnectionOptions): ResolvedConnection {
  return Object.freeze({
    maxMessageBytes: whole('maxMessageBytes', options.maxMessageBytes ?? defaults.maxMessageBytes, 1, longestMs),
    maxPendingSends: whole('maxPendingSends', options.maxPendingSends ?? defaults.maxPendingSends, 1, 1_000_000),
    keepaliveMs: whole('keepaliveMs', options.keepaliveMs ?? defaults.keepaliveMs, 100, longestMs),
    keepaliveTimeoutMs: whole(
      'keepaliveTimeoutMs',
      options.keepaliveTimeoutMs ?? defaults.keepaliveTimeoutMs,
      100,
      longestMs,
    ),
    logger: guardedLogger(options.logger),
    ports: { ...systemPorts, ...options.ports },
  })
}

/** @throws {ConfigError} unless `value` is a whole number from `min` to `max` */
export function whole(field: string, value: number, min: number, max: number): number {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value
  throw new ConfigError(`${field} is ${value}: give a whole number from ${min} to ${max}`)
}

/** What both sides tell the client library. @see https://github.com/grpc/grpc-node/tree/master/packages/grpc-js */
export function channelOptions(resolved: ResolvedConnection): Record<string, number> {
  return {
    'grpc.max_receive_message_length': resolved.maxMessageBytes,
    'grpc.max_send_message_length': resolved.maxMessageBytes,
    'grpc.keepalive_time_ms': resolved.keepaliveMs,
    'grpc.keepalive_timeout_ms': resolved.keepaliveTimeoutMs,
  }
}
