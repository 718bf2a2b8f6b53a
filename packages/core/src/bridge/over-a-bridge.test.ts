import { expect, it } from 'vitest'
import { z } from 'zod'
import { createBus } from '../create-bus.ts'
import { defineEvent } from '../definition.ts'
import { on, type Context } from '../handler.ts'
import { memory } from '../memory/index.ts'
import { shared } from '../shared.ts'
import { manualTime } from '../testing/manual-time.ts'
import { bridge } from './bridge.ts'
import { forward } from './forward.ts'

const Booked = defineEvent('rental.booked', {
  schema: z.object({ id: z.string(), n: z.number() }),
  destination: { name: 'rentals' },
  orderingKey: ({ id }) => id,
})

it('what a bus sent is handled on the far side as it would have been on the near one, once the bridge is not paused', async () => {
  const time = manualTime()
  const from = memory({ ports: time.ports })
  const far = memory({ ports: time.ports })
  const near = createBus({ transport: shared(from), source: '/rentals', ports: time.ports })
  const other = createBus({ transport: shared(far), source: '/billing', ports: time.ports })
  const seen: unknown[] = []
  await other.subscribe('billing', [
    on(Booked, (data, { message }: Context) => {
      const { id, source, orderingKey, dedupeKey, causationId, correlationId, headers } = message
      seen.push({ data, id, source, orderingKey, dedupeKey, causationId, correlationId, mine: headers.mine })
    }),
  ])
  const running = await bridge({ name: 'over', from: shared(from), to: shared(far), routes: [forward(Booked)] })
  const sending = { id: 'i', dedupeKey: 'd', causationId: 'cause', correlationId: 'c', headers: { mine: 'x' } }
  running.pause()
  running.setConcurrency(1)
  await near.publish(Booked, { id: 'a', n: 1 }, sending)
  await time.settle()
  expect(seen).toEqual([])
  running.resume()
  await time.settle()
  expect(seen).toEqual([
    {
      data: { id: 'a', n: 1 },
      id: 'i',
      source: '/rentals',
      orderingKey: 'a',
      dedupeKey: 'd',
      causationId: 'cause',
      correlationId: 'c',
      mine: 'x',
    },
  ])
  for (const part of [running, near, other]) await part.stop()
})
