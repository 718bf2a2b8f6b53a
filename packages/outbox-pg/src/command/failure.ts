import { textOf, UsageError } from '@waybill/core/command'
import { missingTablesText } from '../schema-version.ts'
import type { Target } from './target.ts'

/** What went wrong: one sentence without a secret, and a code that scripts may rely on. */
export interface Failure {
  readonly code: string
  readonly error: string
}

/** Where the command was at work. */
export interface At {
  /** `undefined` before the database was needed, or where a config brings its own. */
  readonly target: Target | undefined
  /** Quoted. */
  readonly schema: string
}

const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH/
/** In which way a server was not reached, by Node's code. */
const NOT_REACHED: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  ENOTFOUND: 'the host name is unknown',
  EAI_AGAIN: 'the host name could not be looked up',
  ENOENT: 'there is no such socket',
  EACCES: 'the socket may not be opened',
  EHOSTUNREACH: 'no way leads to the host',
  ENETUNREACH: 'no way leads to the network',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
}

/** The failure in words that say where, what was tried, and what to do. */
export function failureOf(error: unknown, at: At): Failure {
  if (error instanceof UsageError) return { code: 'USAGE', error: error.message }
  for (const cause of causesOf(error)) {
    const found = byCode(cause, at) ?? byText(cause, at)
    if (found !== undefined) return { code: found[0], error: found[1] }
  }
  const { code } = error as { code?: unknown }
  return { code: typeof code === 'string' && /^[A-Z_]+$/.test(code) ? code : 'FAILED', error: textOf(error) }
}

/** The error, what is behind it, and the addresses of one host that failed as one. */
function causesOf(error: unknown): readonly Error[] {
  const found: Error[] = []
  for (let next = error; next instanceof Error && found.length < 8; next = next.cause) {
    found.push(next)
    if (next instanceof AggregateError) found.push(...(next.errors as Error[]))
  }
  return found
}

type Found = readonly [code: string, error: string]

function byCode(cause: Error & { readonly code?: unknown }, at: At): Found | undefined {
  const { code, message } = cause
  if (typeof code !== 'string') return undefined
  const { here, advice } = sentences(at)
  const way = Object.hasOwn(NOT_REACHED, code) && (cause as NodeJS.ErrnoException).syscall !== undefined
  if (way) return ['UNREACHABLE', here(`not reached, ${NOT_REACHED[code]} (${code})`, advice.running)]
  if (code === 'ETIMEDOUT') return ['TIMEOUT', here('no answer', advice.reached)]
  if (CERTIFICATE.test(code)) return ['TLS', here(`its certificate is not trusted (${code})`, advice.authority)]
  switch (code) {
    case '28P01':
      return ['AUTHENTICATION', here(message, advice.user)]
    case '28000':
      if (/no encryption|SSL off/.test(message)) return ['TLS', here('it wants TLS', advice.tls)]
      return ['AUTHENTICATION', here(message, `${advice.user}, and at pg_hba.conf of the server`)]
    case '3D000':
      return ['NO_DATABASE', here(message, advice.database)]
    case '42501':
      return ['NO_RIGHTS', here(message, advice.rights)]
    case '53300':
      return ['TOO_MANY_CONNECTIONS', here(message, 'close some, or raise max_connections')]
    case '57P03':
      return ['UNREACHABLE', here(message, 'run again in a moment')]
    case 'TIMEOUT':
      return ['TIMEOUT', here('a statement had no answer', advice.locks)]
    case '57014':
    case '55P03':
      return ['TIMEOUT', here(message, advice.locks)]
    case '42P01':
    case '3F000':
      return ['MISSING_TABLES', missingTablesText(at.schema)]
  }
  return undefined
}

/** What pg says without a code. */
function byText({ message }: Error, at: At): Found | undefined {
  const { here, advice } = sentences(at)
  if (/^timeout (?:exceeded|expired)|due to connection timeout/.test(message)) {
    const within = at.target === undefined ? '' : ` within ${at.target.connectMs / 1_000} s (PGCONNECT_TIMEOUT)`
    return ['TIMEOUT', here(`no connection${within}`, advice.reached)]
  }
  if (message === 'Connection terminated unexpectedly')
    return ['UNREACHABLE', here('the connection was cut', advice.running)]
  if (message.includes('does not support SSL')) return ['TLS', here('it speaks no TLS', advice.noTls)]
  if (message.startsWith('SASL')) return ['AUTHENTICATION', here('it wants a password', advice.user)]
  return undefined
}

function sentences({ target }: At) {
  const where = target?.words ?? 'the database of the config'
  const url = target?.from ?? 'its URL'
  return {
    here: (why: string, advice: string) => `${where}: ${why}: ${advice}`,
    advice: {
      running: `is it running, and does ${url} name its host and port?`,
      reached: `is it overloaded or frozen, does a firewall drop packets, does ${url} name its host and port?`,
      user: `look at user and password in ${url}`,
      database: `look at the end of ${url}, or create it`,
      tls: `add ?sslmode=verify-full to ${url}`,
      noTls: `take sslmode out of ${url}, or switch TLS on at the server`,
      authority: `add sslrootcert=FILE to ${url}, the certificate of its authority, and give the host the name that it has there`,
      rights: 'grant this user the roles of "waybill-outbox roles", or use the owner of the tables, as migrate needs',
      locks: 'is it overloaded, or does a transaction hold a lock? pg_stat_activity tells',
    },
  }
}
