import { expect, it } from 'vitest'
import { z } from 'zod'
import { createBus } from './create-bus.ts'
import { defineEvent } from './definition.ts'
import { on } from './handler.ts'
import { memory } from './memory/index.ts'
import type { ParkedMessage } from './parked.ts'
import { retryPolicy } from './retry.ts'
import { manualTime } from './testing/manual-time.ts'

const Booked = defineEvent('rental.booked', { schema: z.object({ n: z.number() }) })

it('keeps a dead letter whole with its story, and replays in order to the one service that failed', async () => {
  const time = manualTime()
  const bus = createBus({ transport: memory({ ports: time.ports }), source: '/test', ports: time.ports })
  const seen: Record<string, number[]> = { billing: [], mail: [] }
  let broken = true
  const billing = on(Booked, ({ n }) => {
    if (broken) throw new RangeError('no such branch')
    seen.billing!.push(n)
  })
  const retry = retryPolicy({ inProcess: { tries: 2, firstMs: 100 }, roundsMs: [10_000] })
  await bus.subscribe('billing', [billing], { retry, concurrency: 1 })
  await bus.subscribe('mail', [on(Booked, ({ n }) => void seen.mail!.push(n))])
  const startedMs = time.nowMs()
  for (const n of [1, 2, 3]) await bus.publish(Booked, { n }, { headers: { tenant: 't-7' } })
  await time.advance(60_000)

  const parked: ParkedMessage[] = []
  for await (const item of bus.parked.list({ service: 'billing' })) parked.push(item)
  expect(parked.map(({ message }) => new TextDecoder().decode(message.body!))).toEqual([
    '{"n":1}',
    '{"n":2}',
    '{"n":3}',
  ])
  for (const { reason, attempts, parkedAtMs, message } of parked) {
    expect({ reason, attempts }).toEqual({ reason: 'RangeError: no such branch', attempts: 4 })
    expect(message.headers.tenant).toBe('t-7')
    const [first, last] = ['waybill-first-failed-at', 'waybill-last-failed-at'].map((name) =>
      Date.parse(String(message.headers[name])),
    )
    expect(first).toBe(startedMs)
    expect(last).toBe(parkedAtMs)
    expect(last! - first!).toBeGreaterThanOrEqual(10_000)
  }

  broken = false
  await Promise.all(bus.parked.replay(parked.map(({ handle }) => handle)))
  await time.advance(1_000)
  expect(seen).toEqual({ billing: [1, 2, 3], mail: [1, 2, 3] })
  for await (const item of bus.parked.list()) expect(item).toBeUndefined()
  await bus.stop()
})
