import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'amqplib'
import { execute } from './execute.ts'
import { freePort } from './free-port.ts'
import { newLogFile } from './log-file.ts'
import { ManagedServer } from './managed-server.ts'
import { rabbitMqFiles, type RabbitMqVersion } from './rabbitmq-files.ts'
import { inside, SERVER, writeNode } from './rabbitmq-node.ts'
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
export async function startRabbitMq({
  direct = false,
  version = '4.0',
  tlsFolder,
}: RabbitMqOptions = {}): Promise<RabbitMq> {
  sweepLeftovers()
  const tree = await rabbitMqFiles(version)
  const folder = new RunFolder('rabbitmq')
  const logFile = newLogFile('rabbitmq')
  const serverPort = await freePort()
  const clientPort = direct ? serverPort : await freePort()
  const ports = { server: serverPort, distribution: await freePort(), epmd: await freePort() }
  const tlsPort = tlsFolder === undefined ? 0 : await freePort()
  writeNode(folder.path, ports, tlsFolder === undefined ? undefined : { port: tlsPort, folder: tlsFolder })
  const server = await ManagedServer.start({
    name: `RabbitMQ ${version}`,
    url: `amqp://guest:guest@127.0.0.1:${clientPort}`,
    folder,
    logFile,
    clientPort,
    serverPort,
    stopSignal: 'SIGTERM',
    launch: () => new ServerProcess({ command: 'unshare', args: inside(tree, folder.path, SERVER), logFile }),
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
