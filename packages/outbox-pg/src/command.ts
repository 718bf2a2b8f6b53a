import { parseArgs } from 'node:util'
import pg from 'pg'
import { migrate } from './migrations/index.ts'
import { logStatus, type LogStatus } from './status/log-status.ts'

const USAGE = `waybill-outbox migrate | status [--json]
  --url URL      the database; else DATABASE_URL
  --schema NAME  default waybill`

export interface CommandIo {
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  print(text: string): void
  printError(text: string): void
}

/** Runs one command; resolves with the exit code. Prints neither payloads nor passwords. */
export async function runCommand({ args, env, print, printError }: CommandIo): Promise<number> {
  let parsed
  try {
    parsed = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        url: { type: 'string' },
        schema: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    })
  } catch (error) {
    printError(`${(error as Error).message}\n${USAGE}`)
    return 2
  }
  const { values, positionals } = parsed
  const [command] = positionals
  if (values.help) {
    print(USAGE)
    return 0
  }
  if ((command !== 'migrate' && command !== 'status') || positionals.length > 1) {
    printError(USAGE)
    return 2
  }
  const connectionString = values.url ?? env.DATABASE_URL
  if (connectionString === undefined) {
    printError('no database: give --url, or set DATABASE_URL')
    return 2
  }
  const pool = new pg.Pool({
    connectionString,
    max: 2,
    connectionTimeoutMillis: 10_000,
    application_name: 'waybill-outbox',
  })
  pool.on('error', () => undefined)
  const { schema } = values
  try {
    if (command === 'migrate') {
      const { from, to } = await migrate({ pool, schema })
      const text = from === to ? `schema is at version ${to} already` : `schema went from version ${from} to ${to}`
      print(values.json ? JSON.stringify({ from, to }) : text)
    } else {
      const status = await logStatus({ pool, schema })
      print(values.json ? JSON.stringify(status) : statusText(status))
    }
    return 0
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    const hint = code === '42P01' || code === '3F000' ? ': run "waybill-outbox migrate" first' : ''
    printError(`${command} failed: ${message || code}${hint}`)
    return 1
  } finally {
    await pool.end()
  }
}

function statusText(status: LogStatus): string {
  const { schemaVersion, lastId, partitions, scheduled, oldestPendingSeconds, readers } = status
  const oldest =
    oldestPendingSeconds === null ? 'nothing pending' : `oldest pending ${oldestPendingSeconds.toFixed(1)} s`
  const head = `schema version ${schemaVersion}, last id ${lastId}, ${partitions} partitions, ${scheduled} scheduled, ${oldest}`
  const lines = readers.map(
    ({ name, position, lag, running, seenSecondsAgo, waiting, parked }) =>
      `${name}: at ${position}, ${lag} behind, ${waiting} waiting, ${parked} parked, ` +
      (running ? 'running' : `not running, seen ${seenSecondsAgo} s ago`),
  )
  return [head, ...lines].join('\n')
}
