import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { chownSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { freePort } from './ports.ts'
import { openToAll, postgresPrograms, SYSTEM_FOLDER, type PostgresPrograms } from './postgres-programs.ts'
import { commandOf, isAlive } from './process-info.ts'

export interface EmbeddedPostgres {
  readonly url: string
  /** Ends the server cleanly. */
  stop(): Promise<void>
  /** Ends the server at once; its next start recovers. */
  kill(): void
}

const START_TIMEOUT_MS = 30_000
const STOP_TIMEOUT_MS = 5_000
const RESTART_MS = 500
const RESTART_TRIES = 5
const DATABASE = 'rentsport'
const SETTINGS = [
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'max_connections=100',
  'shared_buffers=64MB',
]

/** A real PostgreSQL out of an npm package, with its data under `dataDir`. */
export async function startEmbeddedPostgres(dataDir: string, say: (line: string) => void): Promise<EmbeddedPostgres> {
  const programs = await postgresPrograms(say)
  const cluster = clusterFolder(dataDir, programs, say)
  const data = join(cluster, 'data')
  await endLeftover(data, say)
  const passwordFile = join(cluster, 'password')
  if (!existsSync(join(data, 'PG_VERSION'))) {
    say('making the embedded PostgreSQL database')
    await initialise(programs, data, passwordFile)
  }
  const password = readFileSync(passwordFile, 'utf8').trim()
  const port = await freePort()
  const address = `postgres://postgres:${password}@127.0.0.1:${port}`
  const logFile = join(cluster, 'postgres.log')
  const launch = async (): Promise<RunningServer> => {
    const running = runServer(programs, data, port, logFile)
    try {
      await answer(`${address}/postgres`, running.server, logFile)
    } catch (error) {
      running.server.kill('SIGQUIT')
      throw error
    }
    return running
  }

  let running = await launch()
  let stopping = false
  /** Helpers of a killed server may hold its memory for a moment, so one refusal is not the last word. */
  const relaunch = async (): Promise<RunningServer | undefined> => {
    for (let tries = 1; ; tries += 1) {
      await delay(RESTART_MS * tries)
      if (stopping) return undefined
      try {
        await endLeftover(data, say)
        return await launch()
      } catch (error) {
        if (tries >= RESTART_TRIES) throw error
      }
    }
  }
  const guard = () => {
    void running.exited
      .then(async () => {
        if (stopping) return
        say('the database server ended: starting it again')
        const again = await relaunch()
        if (again === undefined) return
        running = again
        guard()
      })
      .catch((error: unknown) => say(`the database server can't be started again: ${String(error)}`))
  }
  guard()
  await createDatabase(`${address}/postgres`)
  return {
    url: `${address}/${DATABASE}`,
    async stop() {
      stopping = true
      running.keeper?.kill('SIGKILL')
      running.server.kill('SIGINT')
      const late = setTimeout(() => running.server.kill('SIGQUIT'), STOP_TIMEOUT_MS)
      await running.exited
      clearTimeout(late)
    },
    kill() {
      stopping = true
      running.keeper?.kill('SIGKILL')
      running.server.kill('SIGQUIT')
    },
  }
}

interface RunningServer {
  readonly server: ChildProcess
  readonly exited: Promise<void>
  readonly keeper: ChildProcess | undefined
}

function runServer(programs: PostgresPrograms, data: string, port: number, logFile: string): RunningServer {
  const log = openSync(logFile, 'a', 0o600)
  const server = spawn(
    programs.postgres,
    ['-D', data, '-p', String(port), ...SETTINGS.flatMap((setting) => ['-c', setting])],
    // A group of its own: a Ctrl-C meant for RentSport must not end the database before its users.
    { ...programs.user, detached: true, stdio: ['ignore', log, log], env: { ...process.env, LC_ALL: 'C' } },
  )
  closeSync(log)
  const exited = new Promise<void>((resolve) => {
    server.once('exit', () => resolve())
    server.once('error', () => resolve())
  })
  return { server, exited, keeper: server.pid === undefined ? undefined : endWithThisProcess(server.pid) }
}

/** Where the cluster lives: in the data folder, unless the server's user can't get there. */
function clusterFolder(dataDir: string, { user }: PostgresPrograms, say: (line: string) => void): string {
  mkdirSync(dataDir, { recursive: true })
  let folder = join(dataDir, 'postgres')
  if (user !== undefined && !openToAll(dataDir)) {
    folder = join(SYSTEM_FOLDER, createHash('sha256').update(dataDir).digest('hex').slice(0, 12))
    say(`the database is kept in ${folder}: the user postgres can't pass to ${dataDir}`)
    mkdirSync(SYSTEM_FOLDER, { recursive: true, mode: 0o755 })
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  if (user !== undefined) chownSync(folder, user.uid, user.gid)
  return folder
}

/** A server that a killed run left behind would refuse a second one over its data. */
async function endLeftover(data: string, say: (line: string) => void): Promise<void> {
  const file = join(data, 'postmaster.pid')
  const pid = existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n', 1)[0]) : Number.NaN
  if (!(pid > 0) || !commandOf(pid)?.includes(data)) return
  say(`ending the database server that an earlier run left behind (process ${pid})`)
  process.kill(pid, 'SIGINT')
  const deadlineMs = Date.now() + STOP_TIMEOUT_MS
  while (isAlive(pid)) {
    if (Date.now() > deadlineMs) process.kill(pid, 'SIGQUIT')
    await delay(50)
  }
}

async function initialise(programs: PostgresPrograms, data: string, passwordFile: string): Promise<void> {
  rmSync(data, { recursive: true, force: true })
  writeFileSync(passwordFile, `${randomBytes(18).toString('hex')}\n`, { mode: 0o600 })
  if (programs.user !== undefined) chownSync(passwordFile, programs.user.uid, programs.user.gid)
  try {
    await promisify(execFile)(
      programs.initdb,
      [
        `--pgdata=${data}`,
        '--auth=scram-sha-256',
        '--username=postgres',
        `--pwfile=${passwordFile}`,
        '--encoding=UTF8',
        '--locale=C',
      ],
      { ...programs.user, cwd: dirname(data) },
    )
  } catch (cause) {
    rmSync(data, { recursive: true, force: true })
    throw new Error(`initdb failed in ${data}: ${(cause as { stderr?: string }).stderr?.trim() ?? String(cause)}`, {
      cause,
    })
  }
}

async function answer(url: string, server: ChildProcess, logFile: string): Promise<void> {
  const deadlineMs = Date.now() + START_TIMEOUT_MS
  for (;;) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 })
    client.on('error', () => undefined)
    try {
      await client.connect()
      await client.end()
      return
    } catch (cause) {
      await client.end().catch(() => undefined)
      if (server.exitCode !== null || server.signalCode !== null || server.pid === undefined) {
        throw new Error(`PostgreSQL ended at its start: see ${logFile}`, { cause })
      }
      if (Date.now() > deadlineMs) throw new Error(`PostgreSQL did not answer within 30 s: see ${logFile}`, { cause })
      await delay(50)
    }
  }
}

async function createDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [DATABASE])
    if (rowCount === 0) await client.query(`create database ${DATABASE}`)
  } finally {
    await client.end()
  }
}

/** A shell of one line that ends the server when this process is gone, however it went: then its pipe closes. */
function endWithThisProcess(pid: number): ChildProcess | undefined {
  if (process.platform === 'win32') return undefined
  const keeper = spawn('/bin/sh', ['-c', `trap '' INT TERM HUP; read -r line; kill -INT ${pid}`], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  keeper.on('error', () => undefined)
  keeper.stdin?.on('error', () => undefined)
  keeper.unref()
  return keeper
}
