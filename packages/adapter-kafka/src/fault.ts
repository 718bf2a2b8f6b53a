import { ConfigError, ConnectionError, MessagingError, PublishError, type PublishFault } from '@waybill/core'

interface ClientError {
  readonly name?: unknown
  readonly type?: unknown
  readonly code?: unknown
  readonly message?: unknown
  readonly cause?: unknown
  readonly errors?: unknown
}

/** What a client error is at its root. */
export interface Root {
  readonly name: string
  /** The protocol's name of the error, `''` if the broker did not answer with one. */
  readonly type: string
  readonly message: string
}

/** Walks to the innermost cause: the outer class says nothing, a refused connection comes as a "non retriable error". */
export function rootOf(error: unknown): Root {
  let at = error as ClientError | undefined
  for (let depth = 0; depth < 10; depth += 1) {
    const inner = (Array.isArray(at?.errors) ? at.errors[0] : at?.cause) as ClientError | undefined
    if (inner === undefined || inner === null || typeof inner !== 'object') break
    at = inner
  }
  return { name: text(at?.name), type: text(at?.type), message: text(at?.message) }
}

const TOO_LARGE = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'])
const REFUSED_MESSAGE = new Set([...TOO_LARGE, 'INVALID_RECORD', 'UNSUPPORTED_FOR_MESSAGE_FORMAT'])
/** A time that the broker does not believe: that of this process. */
const WRONG_CLOCK = 'INVALID_TIMESTAMP'
const REFUSED_DESTINATION = new Set([
  'UNKNOWN_TOPIC_OR_PARTITION',
  'TOPIC_AUTHORIZATION_FAILED',
  'INVALID_TOPIC_EXCEPTION',
  'INVALID_REQUIRED_ACKS',
  'POLICY_VIOLATION',
])
const EVICTED = new Set(['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION', 'FENCED_INSTANCE_ID'])
const SETTINGS = new Set([
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'SASL_AUTHENTICATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM',
  'ILLEGAL_SASL_STATE',
  'INVALID_TOPIC_EXCEPTION',
  'INVALID_REPLICATION_FACTOR',
  'INVALID_PARTITIONS',
  'POLICY_VIOLATION',
  'INVALID_SESSION_TIMEOUT',
  'INCONSISTENT_GROUP_PROTOCOL',
])

export const isTooLarge = (error: unknown): boolean => TOO_LARGE.has(rootOf(error).type)

/** The group has given our partitions away: nothing of them is ours any more. */
export const isEvicted = (error: unknown): boolean => EVICTED.has(rootOf(error).type)

export const isUnknownTopic = (error: unknown): boolean => rootOf(error).type === 'UNKNOWN_TOPIC_OR_PARTITION'

/** How far a failed send reaches. */
export function faultOf(error: unknown): PublishFault {
  const { name, type } = rootOf(error)
  if (REFUSED_MESSAGE.has(type) || name === 'TypeError') return { scope: 'message', retryable: false, mayExist: false }
  // says nothing about the message: whatever is sent now is refused
  if (type === WRONG_CLOCK) return { scope: 'transport', retryable: true, mayExist: false }
  if (REFUSED_DESTINATION.has(type)) return { scope: 'destination', retryable: true, mayExist: true }
  return { scope: 'transport', retryable: true, mayExist: true }
}

/** A failed send to `topic`, as callers of `publish` see it. */
export function publishError(topic: string, error: unknown, fault: PublishFault = faultOf(error)): PublishError {
  const { type, message } = rootOf(error)
  const said = type === '' ? message : type
  const advice =
    fault.scope === 'message'
      ? "check the message against the topic's max.message.bytes and settings"
      : fault.scope === 'destination'
        ? 'check that the topic exists and may be written to'
        : type === WRONG_CLOCK
          ? 'set the clock of this machine right, or give the topic message.timestamp.type=LogAppendTime'
          : 'check the brokers'
  return new PublishError(`publish to topic "${topic}" failed: ${said}: ${advice}`, { ...fault, cause: error })
}

/** A message that was not sent since one before it failed, whose reach it shares. */
export function behind(topic: string, cause: unknown): PublishError {
  const scope = cause instanceof PublishError ? cause.fault.scope : 'message'
  const text = `publish to topic "${topic}" given up: an earlier message of the same ordering key failed`
  return new PublishError(text, { scope, retryable: true, mayExist: false, cause })
}

/** Why a connection or subscription could not be made: a setting that must change, or a broker that is away. */
export function connectError(what: string, error: unknown): MessagingError {
  if (error instanceof MessagingError) return error
  const { name, type, message } = rootOf(error)
  const said = type === '' ? message : type
  if (SETTINGS.has(type) || name === 'KafkaJSSASLAuthenticationError' || name === 'KafkaJSGroupCoordinatorNotFound') {
    return new ConfigError(`${what} was refused: ${said}: check sasl, ssl, names and permissions`, { cause: error })
  }
  return new ConnectionError(`${what} failed: ${said}: check brokers, ssl and that the broker is up`, { cause: error })
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
