/** What every error of the library has in common. Match on `code`, not on the class: two installed copies do no harm. */
export abstract class MessagingError extends Error {
  abstract readonly code: string
  /** Whether trying again can help. */
  abstract readonly retryable: boolean
  override get name(): string {
    return this.constructor.name
  }
}

/** A wrong option or combination, thrown at construction: names the field, the value and the bound. */
export class ConfigError extends MessagingError {
  readonly code = 'CONFIG'
  readonly retryable = false
}

/** One thing a schema said no to. `path` is dotted, `''` for the whole; `message` is without what it says of the value. */
export interface ValidationIssue {
  readonly path: string
  readonly message: string
}

/** The schema said no. */
export class ValidationError extends MessagingError {
  readonly code = 'VALIDATION'
  readonly retryable = false
  readonly issues: readonly ValidationIssue[]
  constructor(message: string, issues: readonly ValidationIssue[], options?: ErrorOptions) {
    super(message, options)
    this.issues = issues
  }
}

/** Bytes that aren't what the content type says. */
export class CodecError extends MessagingError {
  readonly code = 'CODEC'
  readonly retryable = false
}

/** A capability that the transport lacks. */
export class UnsupportedError extends MessagingError {
  readonly code = 'UNSUPPORTED'
  readonly retryable = false
}

/** Carrier or database not reached. */
export class ConnectionError extends MessagingError {
  readonly code = 'CONNECTION'
  readonly retryable = true
}

/** A wait ended; names what was waited for, how long, and which option sets it. */
export class TimeoutError extends MessagingError {
  readonly code = 'TIMEOUT'
  readonly retryable = true
}

/** How far a failed publish reaches, whether to try again, and whether the message may exist all the same. */
export interface PublishFault {
  readonly scope: 'message' | 'destination' | 'transport'
  readonly retryable: boolean
  readonly mayExist: boolean
}

/** A message was not (or perhaps not) taken by the carrier. A foreign error counts as message, retryable, mayExist. */
export class PublishError extends MessagingError {
  readonly code = 'PUBLISH'
  readonly retryable: boolean
  readonly fault: PublishFault
  constructor(message: string, options: Partial<PublishFault> & ErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    const { scope = 'message', retryable = true, mayExist = false } = options
    this.retryable = retryable
    this.fault = Object.freeze({ scope, retryable, mayExist })
  }
}

/** An outbox used without a transaction, or in a failed one. */
export class TransactionError extends MessagingError {
  readonly code = 'TRANSACTION'
  readonly retryable = false
}

/** A bound was reached; the message says which. */
export class OverloadError extends MessagingError {
  readonly code = 'OVERLOAD'
  readonly retryable = true
}

/** The responder failed: its code and text, never its stack. */
export class RemoteError extends MessagingError {
  readonly code = 'REMOTE'
  readonly retryable: boolean
  /** The `code` of the error that the responder's handler threw, `'INTERNAL'` if it had none. */
  readonly remoteCode: string
  /** The service that answered so; `undefined` where it did not say. */
  readonly service: string | undefined
  constructor(
    message: string,
    options: { readonly remoteCode: string; readonly retryable: boolean; readonly service?: string | undefined },
  ) {
    super(message)
    this.remoteCode = options.remoteCode
    this.service = options.service
    this.retryable = options.retryable
  }
}

/**
 * A deadline passed: a message had no time left before it was sent, or the requester stopped waiting while its request was
 * being answered (then it is the reason of the responder's `signal`).
 */
export class ExpiredError extends MessagingError {
  readonly code = 'EXPIRED'
  readonly retryable = false
}

/** Used after stop. */
export class ClosedError extends MessagingError {
  readonly code = 'CLOSED'
  readonly retryable = false
}

/** Thrown by users: straight to the dead letter. */
export class UnrecoverableError extends MessagingError {
  readonly code = 'UNRECOVERABLE'
  readonly retryable = false
}

/** The fault of whatever a `publish` promise rejected with; errors of others are judged with care. */
export function publishFault(error: unknown): PublishFault {
  const fault = (error as { fault?: Partial<PublishFault> } | undefined)?.fault
  if (fault?.scope !== undefined) {
    return { scope: fault.scope, retryable: fault.retryable ?? true, mayExist: fault.mayExist ?? false }
  }
  return { scope: 'message', retryable: true, mayExist: true }
}
