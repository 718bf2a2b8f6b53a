import { UsageError } from '@waybill/core/command'
import pg from 'pg'
import type { OutboxIo } from './outbox-io.ts'

/** The database that a command is to reach. */
export interface Target {
  readonly connectionString: string
  /** What gave it. */
  readonly from: '--url' | 'DATABASE_URL'
  /** Where it is and who asks, for a sentence: never a password. */
  readonly words: string
  readonly connectMs: number
}

const FORMS = /^(?:postgres(?:ql)?:\/\/|socket:|\/)/
const LOOKS = 'give one such as postgres://USER:PASSWORD@HOST:5432/DATABASE'
const CONNECT_SECONDS = 10

/** @throws {UsageError} where no URL is given, or what is given is none; it does not repeat it, as it may hold a password */
export function targetOf(url: string | undefined, env: OutboxIo['env']): Target {
  const from = url === undefined ? 'DATABASE_URL' : '--url'
  const connectionString = url ?? env.DATABASE_URL
  if (connectionString === undefined) throw new UsageError(`no database: ${LOOKS} by --url or DATABASE_URL`)
  if (!FORMS.test(connectionString)) throw new UsageError(`${from} is no database URL: ${LOOKS}`)
  return {
    connectionString,
    from,
    words: wordsOf(connectionString, from),
    connectMs: connectMsOf(env.PGCONNECT_TIMEOUT),
  }
}

/** As pg reads it, with all that its own variables and defaults add. */
function wordsOf(connectionString: string, from: string): string {
  try {
    const { host, port, user, database } = new pg.Client({ connectionString })
    const place = host.startsWith('/') ? host : `${host.includes(':') ? `[${host}]` : host}:${port}`
    return `PostgreSQL at ${place} as user "${user}", database "${database}"`
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException
    const why = path === undefined ? 'is no database URL' : `names a file that can't be read (${code}: ${path})`
    throw new UsageError(`${from} ${why}: ${LOOKS}; what stands for something else in a URL has to be %-encoded`)
  }
}

function connectMsOf(given: string | undefined): number {
  if (given === undefined || given === '') return CONNECT_SECONDS * 1_000
  const seconds = Number(given)
  if (!(seconds >= 1 && seconds <= 600))
    throw new UsageError(`PGCONNECT_TIMEOUT is "${given}": give seconds from 1 to 600`)
  return seconds * 1_000
}
