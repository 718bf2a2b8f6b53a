import { chownSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { answersSql } from './answers-sql.ts'
import { freePort } from './free-port.ts'
import { newLogFile } from './log-file.ts'
import { ManagedServer } from './managed-server.ts'
import { postgresFiles, type PostgresFiles } from './postgres-files.ts'
import { RunFolder, sweepLeftovers } from './run-folder.ts'
import { ServerProcess } from './server-process.ts'
import type { Server, ServerOptions } from './server.ts'

const SETTINGS = [
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'max_connections=300',
  'max_prepared_transactions=10',
]

/** A killed process loses nothing without fsync, only a killed machine does: tests keep every promise and run faster. */
const QUICK = ['fsync=off']
/** What a small server of somebody's own would have. */
const DURABLE = ['shared_buffers=1GB', 'max_wal_size=4GB']

export interface PostgresOptions extends ServerOptions {
  /** COMMIT waits for the disk, as it does in production. @default false */
  readonly durable?: boolean | undefined
}

/** PostgreSQL with an empty cluster of its own; the URL is the superuser's. */
export async function startPostgres({ direct = false, durable = false }: PostgresOptions = {}): Promise<Server> {
  sweepLeftovers()
  const files = await postgresFiles()
  const folder = new RunFolder('postgres')
  const logFile = newLogFile('postgres')
  const data = join(folder.path, 'data')
  const settings = [...SETTINGS, ...(durable ? DURABLE : QUICK)]
  const serverPort = await freePort()
  const clientPort = direct ? serverPort : await freePort()
  await initialise(files, data, logFile)
  const urlAt = (port: number) => `postgres://postgres@127.0.0.1:${port}/postgres`
  return ManagedServer.start({
    name: 'PostgreSQL',
    url: urlAt(clientPort),
    folder,
    logFile,
    clientPort,
    serverPort,
    stopSignal: 'SIGINT',
    launch: () =>
      new ServerProcess({
        command: files.postgres,
        args: ['-D', data, '-p', String(serverPort), ...settings.flatMap((setting) => ['-c', setting])],
        logFile,
        ...files.user,
      }),
    connect: () => answersSql(urlAt(serverPort)),
  })
}

async function initialise(files: PostgresFiles, data: string, logFile: string): Promise<void> {
  mkdirSync(data, { mode: 0o700 })
  if (files.user !== undefined) chownSync(data, files.user.uid, files.user.gid)
  const process = new ServerProcess({
    command: files.initdb,
    args: ['-D', data, '--auth=trust', '--username=postgres', '--encoding=UTF8', '--locale=C', '--no-sync'],
    logFile,
    ...files.user,
  })
  await process.exited
  if (!process.succeeded) {
    rmSync(data, { recursive: true, force: true })
    throw new Error(`initdb failed (log: ${logFile})\n${process.lastWords()}`)
  }
}
