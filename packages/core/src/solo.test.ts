import { expect, it } from 'vitest'
import { z } from 'zod'
import { createBus } from './create-bus.ts'
import { defineCommand } from './definition.ts'
import { on } from './handler.ts'
import { memory } from './memory/index.ts'
import { manualTime } from './testing/manual-time.ts'
import type { Delivery, Transport } from './transport.ts'

const Job = defineCommand('job', { schema: z.object({ n: z.number() }) })

/** The memory transport as one that counts crashes: `countOf` says how many for each message. */
function counting(inner: Transport, countOf: (n: number) => number): Transport {
  return {
    name: 'counting',
    capabilities: inner.capabilities,
    parked: inner.parked,
    publish: (messages, options) => inner.publish(messages, options),
    declare: (topology) => inner.declare!(topology),
    health: () => inner.health(),
    subscribe: (options, deliver) =>
      inner.subscribe(options, (delivery: Delivery) => {
        const { n } = JSON.parse(new TextDecoder().decode(delivery.message.body!)) as { readonly n: number }
        return deliver({ ...delivery, crashes: countOf(n) })
      }),
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  }
}

it('a message that was open in three processes that ended is opened alone; after a fourth it is given up on', async () => {
  const time = manualTime()
  const crashes = [0, 0, 3, 0, 4, 3, 0, 0]
  const transport = counting(memory({ ports: time.ports }), (n) => crashes[n] ?? 0)
  const bus = createBus({ transport, source: '/test', ports: time.ports })
  let running = 0
  const beside = new Map<number, number>()
  const seen: number[] = []
  let fails = 2
  const accompanied: number[] = []
  await bus.subscribe(
    's',
    [
      on(Job, async ({ n }) => {
        running++
        for (const other of beside.keys()) beside.set(other, Math.max(beside.get(other)!, running))
        beside.set(n, running)
        await new Promise<void>((resolve) => time.ports.timers.schedule(resolve, 50))
        running--
        const most = beside.get(n)!
        beside.delete(n)
        if (crashes[n] === 3 && most > 1) accompanied.push(n)
        // an ordinary failure of one that is opened alone is tried again as any other
        if (n === 5 && fails-- > 0) throw new Error('not yet')
        seen.push(n)
      }),
    ],
    { concurrency: 4 },
  )
  for (let n = 0; n < crashes.length; n++) await bus.send(Job, { n })
  await time.advance(60_000)
  expect(accompanied).toEqual([])
  expect([...seen].sort()).toEqual([0, 1, 2, 3, 5, 6, 7])
  const parked: unknown[] = []
  for await (const { reason } of bus.parked.list()) parked.push(reason)
  expect(parked).toEqual(['open in 4 processes that ended: its handling probably ends them'])
  await bus.stop()
  expect(time.armed).toBe(0)
})

it('refuses a bound that makes no sense', async () => {
  await using bus = createBus({ transport: memory(), source: '/test' })
  await expect(bus.subscribe('s', [on(Job, () => {})], { maxCrashes: 0 })).rejects.toThrow(/maxCrashes is 0/)
})
