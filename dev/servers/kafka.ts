import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { execute } from './execute.ts'
import { freePort } from './free-port.ts'
import { LOGGING, serverProperties } from './kafka-config.ts'
import { kafkaFiles } from './kafka-files.ts'
import { newLogFile } from './log-file.ts'
import { ManagedServer } from './managed-server.ts'
import { RunFolder, sweepLeftovers } from './run-folder.ts'
import { ServerProcess } from './server-process.ts'
import type { Server, ServerOptions } from './server.ts'

/** Small and quick to start rather than fast for hours. */
const JAVA_FLAGS = ['-Xmx384m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC']

/** A Kafka of one node; topics are not made by themselves. */
export async function startKafka({ direct = false }: ServerOptions = {}): Promise<Server> {
  sweepLeftovers()
  const jars = await kafkaFiles()
  const folder = new RunFolder('kafka')
  const logFile = newLogFile('kafka')
  const server = await freePort()
  const client = direct ? server : await freePort()
  const properties = join(folder.path, 'server.properties')
  const logging = join(folder.path, 'log4j2.xml')
  const ports = { client, server, internal: await freePort(), controller: await freePort() }
  writeFileSync(properties, serverProperties(join(folder.path, 'data'), ports))
  writeFileSync(logging, LOGGING)
  const java = [...JAVA_FLAGS, `-Dlog4j2.configurationFile=${logging}`, '-cp', join(jars, '*')]
  const cluster = randomBytes(16).toString('base64url').replace(/^-/, 'A')
  await execute('java', [...java, 'kafka.tools.StorageTool', 'format', '-t', cluster, '-c', properties])
  return ManagedServer.start({
    name: 'Kafka',
    url: `127.0.0.1:${client}`,
    folder,
    logFile,
    clientPort: client,
    serverPort: server,
    stopSignal: 'SIGTERM',
    launch: () => new ServerProcess({ command: 'java', args: [...java, 'kafka.Kafka', properties], logFile }),
    async connect() {
      // Through the line from the start: what the broker tells clients is the line's address.
      const kafka = new Kafka({
        brokers: [`127.0.0.1:${client}`],
        logLevel: logLevel.NOTHING,
        connectionTimeout: 1_000,
        requestTimeout: 3_000,
        retry: { retries: 0 },
      })
      const admin = kafka.admin()
      try {
        await admin.connect()
        const { brokers } = await admin.describeCluster()
        if (brokers.length === 0) throw new Error('no broker has joined yet')
      } finally {
        await admin.disconnect().catch(() => {})
      }
    },
  })
}
