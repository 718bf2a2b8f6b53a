import { ConfigError } from './errors.ts'

/** What to do about a failed handling. */
export type RetryDecision =
  /** Again, in this process. */
  | { readonly retryInMs: number }
  /** Give it back, to come again later (unkeyed messages only). */
  | { readonly requeueInMs: number }
  | { readonly deadLetter: string }
  /** A dependency is away: pause the service, and probe with this message until it works. */
  | { readonly stopTheLine: true }

/** What a policy may look at beside error and attempt. */
export interface RetryContext {
  /** Tries of this message in this process, since it was delivered. */
  readonly tries: number
  /** Rounds through the broker so far. */
  readonly rounds: number
  /** Keyed messages can't be requeued without losing their order. */
  readonly keyed: boolean
  /** The handler ran out of its own time, which says nothing about a dependency. */
  readonly timedOut: boolean
  readonly random: () => number
}

/** A pure function, replaceable whole. `attempt` counts all tries of the message that are known. */
export type RetryPolicy = (error: unknown, attempt: number, context: RetryContext) => RetryDecision

export interface RetryOptions {
  /** Tries in the process, and the bounds of the full-jitter back-off between them. */
  readonly inProcess?:
    | {
        readonly tries?: number | undefined
        readonly firstMs?: number | undefined
        readonly maxMs?: number | undefined
      }
    | undefined
  /** Waits between rounds through the broker; after the last comes the dead letter. */
  readonly roundsMs?: readonly number[] | undefined
  readonly onDependencyError?: 'stopTheLine' | 'retry' | undefined
}

export const RETRY_DEFAULTS = Object.freeze({
  tries: 3,
  firstMs: 100,
  maxMs: 2_000,
  roundsMs: Object.freeze([10_000, 60_000, 600_000]) as readonly number[],
  onDependencyError: 'stopTheLine' as const,
})

const STRAIGHT_TO_DEAD_LETTER = new Set(['VALIDATION', 'CODEC', 'UNRECOVERABLE', 'CONFIG', 'UNSUPPORTED'])

/**
 * The policy in the box: exponential back-off with full jitter in the process, then rounds, then the dead letter;
 * errors of a dependency stop the line instead, so that an outage does not dead-letter everything.
 * @default `RETRY_DEFAULTS`: 3 tries, 100 ms to 2 s, rounds after 10 s, 1 min, 10 min
 * @throws {ConfigError} for a bound that is not a positive number
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function retryPolicy(options: RetryOptions = {}): RetryPolicy {
  const {
    tries = RETRY_DEFAULTS.tries,
    firstMs = RETRY_DEFAULTS.firstMs,
    maxMs = RETRY_DEFAULTS.maxMs,
  } = options.inProcess ?? {}
  const { roundsMs = RETRY_DEFAULTS.roundsMs, onDependencyError = RETRY_DEFAULTS.onDependencyError } = options
  if (!Number.isSafeInteger(tries) || tries < 1)
    throw new ConfigError(`inProcess.tries is ${tries}: give a whole number from 1`)
  for (const [field, value] of Object.entries({ firstMs, maxMs })) {
    if (!(value >= 0 && value <= 3_600_000)) {
      throw new ConfigError(`inProcess.${field} is ${value}: give milliseconds from 0 to an hour`)
    }
  }
  if (roundsMs.some((delayMs) => !(delayMs >= 0 && Number.isFinite(delayMs)))) {
    throw new ConfigError('roundsMs holds a wait that is not a number of milliseconds from 0')
  }
  return (error, _attempt, context) => {
    const code = errorCode(error)
    if (STRAIGHT_TO_DEAD_LETTER.has(code)) return { deadLetter: reasonOf(error) }
    if (onDependencyError === 'stopTheLine' && !context.timedOut && isDependencyError(error))
      return { stopTheLine: true }
    if (context.tries < tries) {
      const boundMs = Math.min(maxMs, firstMs * 2 ** Math.min(context.tries - 1, 100))
      return { retryInMs: Math.round(context.random() * boundMs) }
    }
    const requeueInMs = context.keyed ? undefined : roundsMs[context.rounds]
    return requeueInMs === undefined ? { deadLetter: reasonOf(error) } : { requeueInMs }
  }
}

/** What pg and its pool say without a code of a connection that broke, or that could not be had in time. */
const NO_CONNECTION =
  /^Connection terminated|^Client has encountered a connection error|^timeout exceeded when trying to connect$/

/**
 * Whether an error says that a database or downstream service is away: by its code, by SQLSTATE class 08, 53 or 57P, or in
 * pg's words where it gives no code.
 */
export function isDependencyError(error: unknown): boolean {
  const code = errorCode(error)
  if (code === '') return error instanceof Error && NO_CONNECTION.test(error.message)
  return (
    code === 'CONNECTION' || code === 'TIMEOUT' || /^ECONN|^EPIPE$|^ETIMEDOUT$|^(?:08|53)[0-9A-Z]{3}$|^57P/.test(code)
  )
}

/** Kind and text of an error, at most 1,000 characters: longer ones would break header limits of brokers. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : `thrown ${typeof error}`
  return text.length <= 1_000 ? text : `${text.slice(0, 999)}…`
}

function errorCode(error: unknown): string {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return typeof code === 'string' ? code : ''
}
