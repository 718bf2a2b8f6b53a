import { randomBytes } from 'node:crypto'
import { freePort } from './free-port.ts'
import { newLogFile } from './log-file.ts'
import { rabbitMqFiles, type RabbitMqVersion } from './rabbitmq-files.ts'
import { EPMD, inside, writeNode } from './rabbitmq-node.ts'
import { startNode, type RabbitMq } from './rabbitmq.ts'
import { RunFolder, sweepLeftovers } from './run-folder.ts'
import { ServerProcess } from './server-process.ts'
import { watchOver } from './watchdog.ts'

export interface RabbitMqCluster extends AsyncDisposable {
  /** Each can be killed, frozen and started again by itself. */
  readonly nodes: readonly RabbitMq[]
  readonly urls: readonly string[]
}

/** RabbitMQ of three nodes, so that each quorum queue has three members. */
export async function startRabbitMqCluster(version: RabbitMqVersion = '4.0'): Promise<RabbitMqCluster> {
  sweepLeftovers()
  await using started = new AsyncDisposableStack()
  const epmdPort = started.use(await startEpmd(version)).port
  const names = ['waybill-1', 'waybill-2', 'waybill-3']
  const cookie = randomBytes(20).toString('hex')
  const options = { direct: true, version }
  const starting = names.map((name) => startNode(options, { names, name, cookie, epmdPort }))
  const outcomes = await Promise.allSettled(starting)
  const nodes = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? started.use(outcome.value) : []))
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  await nodes[0]!.control('await_online_nodes', String(names.length))
  const all = started.move()
  return { nodes, urls: nodes.map(({ url }) => url), [Symbol.asyncDispose]: () => all.disposeAsync() }
}

/** Tells Erlang nodes each other's ports; in a process of its own, so that it outlives any one of them. */
async function startEpmd(version: RabbitMqVersion): Promise<AsyncDisposable & { readonly port: number }> {
  const tree = await rabbitMqFiles(version)
  const folder = new RunFolder('epmd')
  const watchdog = watchOver(folder.path)
  const port = await freePort()
  writeNode(folder.path, { server: 0, distribution: 0, epmd: port })
  const args = inside(tree, folder.path, EPMD)
  const server = new ServerProcess({ command: 'unshare', args, logFile: newLogFile('epmd') })
  folder.record(server.pid)
  return {
    port,
    async [Symbol.asyncDispose]() {
      server.signalTree('SIGKILL')
      await server.exited
      folder.remove()
      watchdog.done()
    },
  }
}
