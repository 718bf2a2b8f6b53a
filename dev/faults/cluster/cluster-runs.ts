import { randomUUID } from 'node:crypto'
import type { RabbitMq, RabbitMqCluster } from '../../servers/index.ts'
import { waitUntil } from '../../servers/wait-until.ts'
import { Flow } from './flow.ts'
import type { ClusterVerdict } from './ledger.ts'

export interface ClusterRun {
  readonly fault: string
  readonly seed: number
  readonly verdict: ClusterVerdict
  readonly kills: number
  readonly failures: readonly string[]
  /** What else had to hold and did not. */
  readonly complaints: readonly string[]
}

export const FAULTS = { leader: leaderKilled, majority: majorityLost } as const
export type ClusterFault = keyof typeof FAULTS

/** Kills the node that leads the queue, twice, also where publisher or consumer are connected to it. */
async function leaderKilled(cluster: RabbitMqCluster, seed: number): Promise<ClusterRun> {
  const name = `leader-${randomUUID().slice(0, 8)}`
  const [first, second, third] = cluster.urls as [string, string, string]
  const orders = [
    [first, second, third],
    [second, third, first],
    [third, first, second],
  ] as const
  const at = { name, publishTo: orders[seed % 3]!, consumeFrom: orders[Math.floor(seed / 3) % 3]! }
  const flow = await Flow.start(at)
  let kills = 0
  for (; kills < 2; kills++) {
    await flow.confirms(300 + ((seed * 137) % 700))
    const leader = await leaderOf(cluster, name)
    await leader.kill()
    await flow.confirms(500)
    await leader.restart()
  }
  const verdict = await flow.end()
  return { fault: 'leader killed', seed, verdict, kills, failures: [...flow.failures], complaints: [] }
}

/** Kills all but the node that publisher and consumer are connected to, and starts them again. */
async function majorityLost(cluster: RabbitMqCluster, seed: number): Promise<ClusterRun> {
  const name = `majority-${randomUUID().slice(0, 8)}`
  const own = cluster.nodes[seed % 3]!
  const others = cluster.nodes.filter((node) => node !== own)
  const urls = [own.url]
  const flow = await Flow.start({ name, publishTo: urls, consumeFrom: urls })
  await flow.confirms(300 + ((seed * 137) % 700))
  const complaints: string[] = []
  await Promise.all(others.map((node) => node.kill()))
  await waitUntil(
    async () => {
      const publishing = (await flow.publisher.health()).find(({ part }) => part.endsWith('publish'))
      if (publishing?.state !== 'degraded' || !/confirm/.test(publishing.reason ?? '')) {
        throw new Error(`health of publishing is ${publishing?.state} (${publishing?.reason})`)
      }
    },
    { what: 'health that tells of missing confirms', timeoutMs: 15_000 },
  ).catch((error: Error) => complaints.push(`${error.message}: ${(error.cause as Error | undefined)?.message}`))
  await Promise.all(others.map((node) => node.restart()))
  await flow.confirms(500)
  for (const { part, state } of await flow.publisher.health()) {
    if (state !== 'up') complaints.push(`${part} is ${state} although messages are confirmed again`)
  }
  const verdict = await flow.end()
  return { fault: 'majority lost', seed, verdict, kills: others.length, failures: [...flow.failures], complaints }
}

async function leaderOf({ nodes }: RabbitMqCluster, queue: string): Promise<RabbitMq> {
  const text = await nodes[0]!.control('--quiet', 'list_queues', '--formatter', 'json', 'name', 'leader')
  const queues = JSON.parse(text) as { readonly name: string; readonly leader: string }[]
  const leader = queues.find(({ name }) => name === queue)?.leader
  const index = Number(/^waybill-(\d)@/.exec(leader ?? '')?.[1]) - 1
  const node = nodes[index]
  if (node === undefined) throw new Error(`queue "${queue}" has no leader among the nodes: ${leader}`)
  return node
}
