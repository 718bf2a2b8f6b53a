import { expect, it } from 'vitest'
import { z } from 'zod'
import { createBus } from './create-bus.ts'
import { defineEvent } from './definition.ts'
import { on } from './handler.ts'
import { memory } from './memory/index.ts'
import type { ParkedStore } from './parked.ts'
import { retryPolicy } from './retry.ts'
import type { Settlement, Transport } from './transport.ts'
import type { CallOptions } from './wire-message.ts'

const Moved = defineEvent('moved', {
  schema: z.object({ key: z.string(), n: z.number() }),
  orderingKey: ({ key }) => key,
})

it('waits no longer for a parked store once the delivery is not ours any more, and frees its key', async () => {
  const inner = memory()
  const cut = new AbortController()
  const settlements: Promise<Settlement>[] = []
  const transport: Transport = {
    name: 'cutting',
    capabilities: { ...inner.capabilities, deadLetter: undefined },
    publish: (messages, options) => inner.publish(messages, options),
    declare: (topology) => inner.declare!(topology),
    health: () => inner.health(),
    subscribe: (options, deliver) =>
      inner.subscribe(options, (delivery) => {
        // the first is cut off, those behind it come again on another channel
        const settled = deliver(settlements.length === 0 ? { ...delivery, signal: cut.signal } : delivery)
        settlements.push(settled)
        return settled
      }),
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  }
  let given: CallOptions | undefined
  let onAsked = () => {}
  const asked = new Promise<void>((resolve) => (onAsked = resolve))
  const park: ParkedStore['park'] = (_, options) => {
    given = options
    onAsked()
    return [new Promise<void>(() => {})]
  }
  const retry = retryPolicy({ inProcess: { tries: 1 }, roundsMs: [] })
  const bus = createBus({ transport, source: '/test', retry, parked: { park } as ParkedStore })
  let onSecond = () => {}
  const second = new Promise<void>((resolve) => (onSecond = resolve))
  let failed = false
  await bus.subscribe('s', [
    on(Moved, ({ n }) => {
      if (n === 2) return onSecond()
      if (failed) return
      failed = true
      throw new Error('no good')
    }),
  ])
  await bus.publish(Moved, { key: 'a', n: 1 })
  await asked
  await bus.publish(Moved, { key: 'a', n: 2 })
  expect(given?.signal?.aborted).toBe(false)
  cut.abort(new Error('another has it now'))
  expect(given?.signal?.aborted).toBe(true)
  expect(await settlements[0]).toEqual({ outcome: 'release' })
  await second
  await bus.stop()
})
