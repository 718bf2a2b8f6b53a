import { expect, it } from 'vitest'
import { z } from 'zod'
import { createBus } from './create-bus.ts'
import { defineEvent } from './definition.ts'
import { on } from './handler.ts'
import { memory } from './memory/index.ts'

const Moved = defineEvent('moved', {
  schema: z.object({ key: z.string(), n: z.number() }),
  orderingKey: ({ key }) => key,
})

it('does not start the next message of a key whose handler gave one back', async () => {
  await using bus = createBus({ transport: memory(), source: '/test' })
  const handled: number[] = []
  let releases = 1
  const done = new Promise<void>((resolve) => {
    void bus.subscribe('s', [
      on(Moved, async ({ n }) => {
        handled.push(n)
        if (n === 3) resolve()
        // meanwhile the others of its key have come
        await new Promise((turn) => setImmediate(turn))
        if (n === 1 && releases-- > 0) return { outcome: 'release' }
      }),
    ])
  })
  await Promise.all([1, 2, 3].map((n) => bus.publish(Moved, { key: 'a', n })))
  await done
  expect(handled).toEqual([1, 1, 2, 3])
})
