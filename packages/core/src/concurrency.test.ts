import { expect, it } from 'vitest'
import { z } from 'zod'
import { createBus } from './create-bus.ts'
import { defineEvent } from './definition.ts'
import { on } from './handler.ts'
import { memory } from './memory/index.ts'
import { manualTime } from './testing/manual-time.ts'

const Keyed = defineEvent('keyed', {
  schema: z.object({ key: z.string() }),
  orderingKey: ({ key }) => key,
})

function timedBus() {
  const time = manualTime()
  const bus = createBus({ transport: memory({ ports: time.ports }), source: '/test', ports: time.ports })
  const sleep = (ms: number) => new Promise<void>((resolve) => time.ports.timers.schedule(resolve, ms))
  return { time, bus, sleep }
}

it('concurrency goes down to one and up again while the service runs', async () => {
  const { time, bus, sleep } = timedBus()
  let running = 0
  const service = await bus.subscribe(
    's',
    [
      on(Keyed, async () => {
        running++
        await sleep(100)
        running--
      }),
    ],
    { concurrency: 8 },
  )
  for (let n = 0; n < 40; n++) await bus.publish(Keyed, { key: String(n) })
  await time.settle()
  expect(running).toBe(8)
  service.setConcurrency(1)
  await time.advance(150)
  expect(running).toBe(1)
  service.setConcurrency(5)
  await time.settle()
  expect(running).toBe(5)
  await time.advance(10_000)
  expect(running).toBe(0)
  await bus.stop()
})

it('a hot key never starves cold ones, and what is open stays within the window', async () => {
  const { time, bus } = timedBus()
  const seen: string[] = []
  await bus.subscribe('s', [on(Keyed, ({ key }) => void seen.push(key))], { concurrency: 10 })
  for (let n = 0; n < 10_000; n++) {
    await bus.publish(Keyed, { key: 'hot' })
    if (n % 1_000 === 999) for (let cold = 0; cold < 9; cold++) await bus.publish(Keyed, { key: `cold ${cold}` })
  }
  await time.settle()
  expect(seen).toHaveLength(10_090)
  // a cold message waits for no more of the hot key than the window holds
  for (let round = 1; round <= 10; round++) {
    const at = seen.map((key, index) => (key === 'hot' ? -1 : index)).filter((index) => index >= 0)
    expect(at[round * 9 - 1]!).toBeLessThanOrEqual(round * 1_009 + 64)
  }
  await bus.stop()
})
