import { Metadata, status } from '@grpc/grpc-js'
import {
  ConnectionError,
  OverloadError,
  PublishError,
  RemoteError,
  TimeoutError,
  UnsupportedError,
  ValidationError,
  type MessagingError,
} from '@waybill/core'

/** How a stream ended, as the client library says it. */
export interface StatusObject {
  readonly code: number
  readonly details: string
  readonly metadata?: Metadata | null | undefined
}

/** Trailers by which our own client learns the code and retryability of the server's error. */
const codeKey = 'waybill-code'
const retryableKey = 'waybill-retryable'
const maxDetailsLength = 1_000

const codeOf: Readonly<Record<string, number>> = {
  VALIDATION: status.INVALID_ARGUMENT,
  CODEC: status.INVALID_ARGUMENT,
  UNSUPPORTED: status.UNIMPLEMENTED,
  CONNECTION: status.UNAVAILABLE,
  CLOSED: status.UNAVAILABLE,
  TIMEOUT: status.DEADLINE_EXCEEDED,
  EXPIRED: status.DEADLINE_EXCEEDED,
  OVERLOAD: status.RESOURCE_EXHAUSTED,
  UNRECOVERABLE: status.FAILED_PRECONDITION,
}

/** What the client is told about a handler's error: status, text, never the stack. */
export function toStatus(error: unknown): StatusObject {
  if (isStatus(error)) return error
  const { message, code, retryable } = (error ?? {}) as { message?: unknown; code?: unknown; retryable?: unknown }
  const metadata = new Metadata()
  const name = typeof code === 'string' && /^[A-Z0-9_]{1,64}$/.test(code) ? code : 'INTERNAL'
  metadata.set(codeKey, name)
  metadata.set(retryableKey, String(retryable === true))
  return { code: codeOf[name] ?? status.INTERNAL, details: details(message), metadata }
}

/** Status text travels percent-encoded, which refuses lone surrogates; and peers cap the size of trailers. */
function details(message: unknown): string {
  const text = typeof message === 'string' && message !== '' ? message : 'the handler failed'
  return text.slice(0, maxDetailsLength).replace(/\p{Surrogate}/gu, '\uFFFD')
}

function isStatus(error: unknown): error is StatusObject {
  const { code, details: text } = (error ?? {}) as { code?: unknown; details?: unknown }
  return typeof code === 'number' && code > 0 && code <= 16 && typeof text === 'string'
}

/**
 * A failed stream as one of core's errors. UNAVAILABLE, CANCELLED (a server that is shut down by force says so),
 * ABORTED and a reset transport are worth another try; a server that timed out may have done the work.
 */
export function fromStatus(what: string, cause: StatusObject): MessagingError {
  const remoteCode = text(cause, codeKey)
  const told = text(cause, retryableKey)
  const message = `${what} ended with ${status[cause.code] ?? cause.code}: ${cause.details}`
  switch (cause.code) {
    case status.UNAVAILABLE:
    case status.CANCELLED:
      return new ConnectionError(message, { cause })
    case status.DEADLINE_EXCEEDED:
      return new TimeoutError(message, { cause })
    case status.RESOURCE_EXHAUSTED:
      // Both sides' own words for a message over its limit; the same message would fail again.
      if (/larger (than|message)/i.test(cause.details)) {
        return new PublishError(message, { scope: 'message', retryable: false, cause })
      }
      return new OverloadError(message, { cause })
    case status.INVALID_ARGUMENT:
      return new ValidationError(message, [{ path: '', message: cause.details }], { cause })
    case status.UNIMPLEMENTED:
      return new UnsupportedError(message, { cause })
    case status.INTERNAL:
      if (remoteCode === undefined && /RST_STREAM|ECONNRESET|GOAWAY/i.test(cause.details)) {
        return new ConnectionError(message, { cause })
      }
  }
  return new RemoteError(message, {
    remoteCode: remoteCode ?? status[cause.code] ?? 'UNKNOWN',
    retryable: told === undefined ? cause.code === status.ABORTED : told === 'true',
  })
}

function text(cause: StatusObject, key: string): string | undefined {
  const value = cause.metadata?.get(key)[0]
  return typeof value === 'string' ? value : undefined
}
