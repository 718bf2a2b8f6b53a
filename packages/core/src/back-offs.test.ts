import { expect, it } from 'vitest'
import { z } from 'zod'
import { createBus } from './create-bus.ts'
import { defineEvent } from './definition.ts'
import { on } from './handler.ts'
import { memory } from './memory/index.ts'
import type { Delivery, Settlement, Transport } from './transport.ts'
import { manualTime } from './testing/manual-time.ts'

const Ping = defineEvent('ping', { schema: z.object({ n: z.number() }) })

/** A bus whose deliveries the test makes by itself. */
async function byHand(handled: (n: number, signal: () => boolean) => Promise<void>) {
  const time = manualTime()
  let deliver!: (delivery: Delivery) => Promise<Settlement>
  const inner = memory({ ports: time.ports })
  const transport: Transport = Object.assign(Object.create(inner) as Transport, {
    subscribe: (...[, given]: Parameters<Transport['subscribe']>) => {
      deliver = given
      return Promise.resolve({
        capabilities: inner.capabilities,
        ended: Promise.resolve(undefined),
        stop: () => Promise.resolve(),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      })
    },
    declare: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  })
  const bus = createBus({ transport, source: '/test', ports: time.ports })
  const options = { concurrency: 1, handlerTimeoutMs: 1_000 }
  await bus.subscribe('s', [on(Ping, ({ n }, context) => handled(n, () => context.signal.aborted))], options)
  const give = (n: number, recalled = new AbortController(), signal = new AbortController()) => ({
    recalled,
    signal,
    settled: deliver({
      message: {
        id: String(n),
        type: 'ping',
        destination: Ping.destination,
        contentType: 'application/json',
        body: new TextEncoder().encode(JSON.stringify({ n })),
        attributes: {},
        headers: {},
      },
      attempt: 1,
      recalled: recalled.signal,
      signal: signal.signal,
    }),
  })
  return { time, bus, give }
}

it('frees the place of a message between two tries once, however it is taken back', async () => {
  const handled: number[] = []
  const { time, bus, give } = await byHand((n) => {
    handled.push(n)
    return n === 1 ? Promise.reject(new Error('no')) : Promise.resolve()
  })
  const first = give(1)
  await time.settle()
  first.recalled.abort()
  first.signal.abort()
  expect(await first.settled).toEqual({ outcome: 'release' })
  expect(await give(2).settled).toEqual({ outcome: 'ack' })
  expect(handled).toEqual([1, 2])
  await bus.stop()
})

it('shows a handler that outlived its try an aborted signal, and the next try one of its own', async () => {
  const ends: (() => void)[] = []
  const looks: (() => boolean)[] = []
  const { time, bus, give } = await byHand((_, aborted) => {
    looks.push(aborted)
    return new Promise((resolve) => ends.push(resolve))
  })
  const { settled } = give(1)
  // its time and the grace are over, and the second try has begun
  await time.advance(6_500)
  expect(looks.map((aborted) => aborted())).toEqual([true, false])
  for (const end of ends) end()
  await settled
  await bus.stop()
})
