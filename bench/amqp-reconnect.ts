// A broker that is killed and comes back: from the moment it takes a client again to the first message handled.
import { setTimeout as wait } from 'node:timers/promises'
import { amqp } from '@waybill/adapter-amqp'
import { createBus, defineCommand, on } from '@waybill/core'
import { startRabbitMq } from '../dev/servers/index.ts'
import { anything } from './payload.ts'
import { shown } from './pairs.ts'
import type { BenchRow } from './row.ts'

const GOAL_MS = 2_000
/** A single node writes the name of a new quorum queue late. */
const SETTLED_MS = 5_000

export async function amqpReconnect(pairs: number): Promise<BenchRow[]> {
  await using server = await startRabbitMq({ direct: true })
  await using bus = createBus({ transport: amqp({ url: server.url }), source: '/bench' })
  const Told = defineCommand('bench.reconnect', { schema: anything<{ round: number }>() })
  let handled = (_round: number) => {}
  await bus.subscribe('bench.reconnect', [on(Told, ({ round }) => handled(round))])
  await wait(SETTLED_MS)
  const tookMs: number[] = []
  for (let round = 0; round < pairs; round++) {
    await server.kill()
    const first = new Promise<number>((resolve) => {
      handled = (seen) => {
        if (seen === round) resolve(performance.now())
      }
    })
    let going = true
    const sending = (async () => {
      while (going) {
        await bus.send(Told, { round }, { timeoutMs: 1_000 }).catch(() => undefined)
        await wait(20)
      }
    })()
    await server.restart()
    const readyMs = performance.now()
    tookMs.push(Math.max(0, (await first) - readyMs))
    going = false
    await sending
  }
  return [
    {
      what: 'broker killed and back: from its first client to the first message handled (at most 2,000 ms)',
      measured: shown(tookMs, 0, ' ms'),
      limit: '',
      share: GOAL_MS / Math.max(...tookMs),
    },
  ]
}
