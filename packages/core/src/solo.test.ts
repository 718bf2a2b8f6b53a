import { expect, it } from 'vitest'
import { z } from 'zod'
import { createBus } from './create-bus.ts'
import { defineCommand } from './definition.ts'
import { on } from './handler.ts'
import { memory } from './memory/index.ts'
import { retryPolicy } from './retry.ts'
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

/** A service with a message that runs until `end`, and behind it a suspect that waits to be alone. */
async function waitingSuspect() {
  const time = manualTime()
  const bus = createBus({
    transport: counting(memory({ ports: time.ports }), (n) => (n === 1 ? 3 : 0)),
    source: '/test',
    ports: time.ports,
  })
  const started: number[] = []
  let end = () => {}
  const ended = new Promise<void>((resolve) => (end = resolve))
  const service = await bus.subscribe('s', [
    on(Job, ({ n }) => {
      started.push(n)
      if (n === 0) return ended
    }),
  ])
  await bus.send(Job, { n: 0 })
  await bus.send(Job, { n: 1 })
  await time.settle()
  return { time, bus, service, started, end }
}

it('gives back what waits to be opened alone when the service stops, and does not start it', async () => {
  const { time, bus, service, started, end } = await waitingSuspect()
  const stopped = service.stop({ drainTimeoutMs: 60_000 })
  await time.settle()
  end()
  await time.advance(1_000)
  await stopped
  expect(started).toEqual([0])
  // it is where it was, for the next instance
  expect((await bus.health()).find(({ part }) => part === 'memory service s')).toMatchObject({ lag: 1 })
  await bus.stop()
  expect(time.armed).toBe(0)
})

it('gives it back when the service pauses, also in the moment before it starts, and opens it alone once it goes on', async () => {
  const { time, bus, service, started, end } = await waitingSuspect()
  end()
  await time.advance(50)
  service.pause()
  await time.advance(10_000)
  expect(started).toEqual([0])
  service.resume()
  await time.advance(1_000)
  expect(started).toEqual([0, 1])
  await bus.stop()
})

it('starts no message alone beside one that waits between two tries', async () => {
  const time = manualTime()
  const transport = counting(memory({ ports: time.ports }), (n) => (n === 2 ? 3 : 0))
  const bus = createBus({ transport, source: '/test', ports: time.ports })
  let alone = false
  let failed = false
  const seen: number[] = []
  const beside: number[] = []
  const ends: (() => void)[] = []
  const handler = async ({ n }: { readonly n: number }) => {
    seen.push(n)
    if (alone) beside.push(n)
    alone = n === 2
    if (n === 2) await new Promise<void>((resolve) => time.ports.timers.schedule(resolve, 1_000))
    else if (n === 1 || !failed) await new Promise<void>((resolve) => (ends[n] = resolve))
    if (n === 2) alone = false
    if (n !== 0 || failed) return
    failed = true
    throw new Error('not yet')
  }
  await bus.subscribe('s', [on(Job, handler)], { retry: retryPolicy({ inProcess: { firstMs: 500 } }) })
  for (const n of [0, 1, 2]) await bus.send(Job, { n })
  await time.settle()
  // the first fails while the second runs, so the third still waits to be alone
  ends[0]!()
  await time.settle()
  ends[1]!()
  await time.advance(60_000)
  expect(beside).toEqual([])
  expect(seen.sort()).toEqual([0, 0, 1, 2])
  await bus.stop()
})

it('refuses a bound that makes no sense', async () => {
  await using bus = createBus({ transport: memory(), source: '/test' })
  await expect(bus.subscribe('s', [on(Job, () => {})], { maxCrashes: 0 })).rejects.toThrow(/maxCrashes is 0/)
})
