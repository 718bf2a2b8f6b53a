import { chownSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { answersSql } from './answers-sql.ts'
import { freePort } from './free-port.ts'
import { newLogFile } from './log-file.ts'
import { ManagedServer } from './managed-server.ts'
import { pgBouncerFiles } from './pgbouncer-files.ts'
import { RunFolder, sweepLeftovers } from './run-folder.ts'
import { ServerProcess } from './server-process.ts'
import type { Server, ServerOptions } from './server.ts'

export interface PgBouncerOptions extends ServerOptions {
  /** The PostgreSQL behind it. Everybody may come to the pooler and is this URL's user there. */
  readonly postgresUrl: string
  /** Beside the pool mode, by the names of its manual: `max_prepared_statements`, `default_pool_size`… */
  readonly settings?: Readonly<Record<string, string | number>> | undefined
}

/** PgBouncer 1.24 that shares connections by transaction. */
export async function startPgBouncer({
  postgresUrl,
  settings = {},
  direct = false,
}: PgBouncerOptions): Promise<Server> {
  sweepLeftovers()
  const { command, args, user } = await pgBouncerFiles()
  const folder = new RunFolder('pgbouncer')
  const logFile = newLogFile('pgbouncer')
  const serverPort = await freePort()
  const clientPort = direct ? serverPort : await freePort()
  const configFile = join(folder.path, 'pgbouncer.ini')
  // it may hold a password
  writeFileSync(configFile, configuration(new URL(postgresUrl), serverPort, settings), { mode: 0o600 })
  if (user !== undefined) chownSync(configFile, user.uid, user.gid)
  const urlAt = (port: number) => `postgres://postgres@127.0.0.1:${port}${new URL(postgresUrl).pathname}`
  return ManagedServer.start({
    name: 'PgBouncer',
    url: urlAt(clientPort),
    folder,
    logFile,
    clientPort,
    serverPort,
    stopSignal: 'SIGQUIT',
    launch: () => new ServerProcess({ command, args: [...args, configFile], logFile, ...user }),
    connect: () => answersSql(urlAt(serverPort)),
  })
}

function configuration(server: URL, port: number, settings: Readonly<Record<string, string | number>>): string {
  const there = {
    host: server.hostname,
    port: server.port || '5432',
    user: decodeURIComponent(server.username),
    password: decodeURIComponent(server.password),
  }
  const words = Object.entries(there).filter(([, value]) => value !== '')
  const lines = {
    listen_addr: '127.0.0.1',
    listen_port: port,
    unix_socket_dir: '',
    auth_type: 'any',
    pool_mode: 'transaction',
    ...settings,
  }
  return [
    '[databases]',
    `* = ${words.map(([word, value]) => `${word}='${value.replaceAll("'", "''")}'`).join(' ')}`,
    '[pgbouncer]',
    ...Object.entries(lines).map(([name, value]) => `${name} = ${value}`),
    '',
  ].join('\n')
}
