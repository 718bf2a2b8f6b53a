import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'amqplib'
import { execute } from './execute.ts'
import { freePort } from './free-port.ts'
import { newLogFile } from './log-file.ts'
import { ManagedServer } from './managed-server.ts'
import { rabbitMqFiles, type RabbitMqVersion } from './rabbitmq-files.ts'
import { inside, MEMBER, SERVER, writeNode, type RabbitMqMember } from './rabbitmq-node.ts'
import { RunFolder, sweepLeftovers } from './run-folder.ts'
import { ServerProcess } from './server-process.ts'
import type { Server, ServerOptions } from './server.ts'

export interface RabbitMqOptions extends ServerOptions {
  /** @default '4.0' */
  readonly version?: RabbitMqVersion | undefined
  /** A folder with `ca.pem`, `server.pem` and `server.key`: it listens for TLS too, at `tlsPort`. */
  readonly tlsFolder?: string | undefined
}

export interface RabbitMq extends Server {
  /** Runs `rabbitmqctl` with these words. @returns what it printed */
  control(...words: string[]): Promise<string>
  /** Where it speaks TLS; 0 without `tlsFolder`. */
  readonly tlsPort: number
}

/** A RabbitMQ of one node, with the user guest. */
export async function startRabbitMq(options: RabbitMqOptions = {}): Promise<RabbitMq> {
  sweepLeftovers()
  return startNode(options)
}

/** What a node of a cluster is told beside its options. */
export interface Membership extends RabbitMqMember {
  readonly epmdPort: number
}

export async function startNode(
  { direct = false, version = '4.0', tlsFolder }: RabbitMqOptions,
  member?: Membership,
): Promise<RabbitMq> {
  const tree = await rabbitMqFiles(version)
  const name = member?.name ?? 'rabbitmq'
  const folder = new RunFolder(name)
  const logFile = newLogFile(name)
  const serverPort = await freePort()
  const clientPort = direct ? serverPort : await freePort()
  const ports = { server: serverPort, distribution: await freePort(), epmd: member?.epmdPort ?? (await freePort()) }
  const tlsPort = tlsFolder === undefined ? 0 : await freePort()
  const tls = tlsFolder === undefined ? undefined : { port: tlsPort, folder: tlsFolder }
  writeNode(folder.path, ports, { tls, member })
  const commandLine = member === undefined ? SERVER : MEMBER
  const server = await ManagedServer.start({
    name: member === undefined ? `RabbitMQ ${version}` : `RabbitMQ ${version} (${name})`,
    url: `amqp://guest:guest@127.0.0.1:${clientPort}`,
    folder,
    logFile,
    clientPort,
    serverPort,
    stopSignal: 'SIGTERM',
    launch: () => new ServerProcess({ command: 'unshare', args: inside(tree, folder.path, commandLine), logFile }),
    mainPid: () => pidIn(join(folder.path, 'pid')),
    async connect() {
      const connection = await connect(`amqp://guest:guest@127.0.0.1:${serverPort}`, { timeout: 5_000 })
      await connection.close()
    },
  })
  return Object.assign(server, {
    tlsPort,
    control: (...words: string[]) => execute('unshare', inside(tree, folder.path, controlLine(words))),
  })
}

function controlLine(words: readonly string[]): string {
  const quoted = words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`)
  return ['exec /usr/lib/rabbitmq/bin/rabbitmqctl', ...quoted].join(' ')
}

function pidIn(file: string): number | undefined {
  try {
    return Number(readFileSync(file, 'utf8')) || undefined
  } catch {
    return undefined
  }
}
