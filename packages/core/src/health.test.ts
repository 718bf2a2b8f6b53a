import { expect, it } from 'vitest'
import { z } from 'zod'
import type { BusOptions } from './bus.ts'
import { createBus } from './create-bus.ts'
import { defineEvent, defineRequest } from './definition.ts'
import { ConnectionError } from './errors.ts'
import { on, respond } from './handler.ts'
import { memory } from './memory/index.ts'
import { route } from './route.ts'
import { manualTime } from './testing/manual-time.ts'
import type { Transport } from './transport.ts'

const Ping = defineEvent('ping', { schema: z.object({ n: z.number() }) })
const Ask = defineRequest('ask', { schema: z.object({}), reply: z.object({}) })

function timedBus(
  options: Partial<BusOptions> = {},
  change: (transport: Transport) => Partial<Transport> = () => ({}),
) {
  const time = manualTime()
  const inner = memory({ ports: time.ports })
  const transport: Transport = {
    name: inner.name,
    capabilities: inner.capabilities,
    publish: (messages, given) => inner.publish(messages, given),
    subscribe: (given, deliver) => inner.subscribe(given, deliver),
    health: () => inner.health(),
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
    ...change(inner),
  }
  const bus = createBus({ transport, source: '/test', ports: time.ports, ...options })
  const part = async (name: string) => (await bus.health()).find(({ part }) => part === name)
  return { time, bus, part }
}

it('names each part; what is well is up since it began', async () => {
  const { time, bus } = timedBus()
  const startedMs = time.nowMs()
  await bus.subscribe('billing', [on(Ping, () => {})])
  await time.advance(1_000)
  expect(await bus.health()).toEqual(
    ['bus', 'memory', 'memory service billing', 'service billing'].map((part) =>
      expect.objectContaining({ part, state: 'up', sinceMs: startedMs }),
    ),
  )
  await bus.stop()
})

it('says that publishes are refused while too many wait for their confirm, and since when', async () => {
  const confirms: (() => void)[] = []
  const { time, bus, part } = timedBus({ limits: { maxPendingPublishes: 2 } }, () => ({
    publish: (messages) => messages.map(() => new Promise<void>((resolve) => void confirms.push(resolve))),
  }))
  const sent = [bus.publish(Ping, { n: 1 }), bus.publish(Ping, { n: 2 })]
  expect(await part('bus')).toMatchObject({ state: 'up' })
  await time.advance(500)
  await expect(bus.publish(Ping, { n: 3 })).rejects.toMatchObject({ code: 'OVERLOAD' })
  const sinceMs = time.nowMs()
  await time.advance(500)
  expect(await part('bus')).toEqual({
    part: 'bus',
    state: 'degraded',
    sinceMs,
    reason: 'refuses publishes: 2 wait for their confirm, the bound of maxPendingPublishes',
  })
  confirms.forEach((confirm) => confirm())
  await Promise.all(sent)
  expect(await part('bus')).toMatchObject({ state: 'up' })
  await bus.stop()
})

it('says that requests are refused while too many wait for replies', async () => {
  const { time, bus, part } = timedBus({ limits: { maxPendingRequests: 1 } })
  let answer = () => {}
  await bus.subscribe('pricing', [respond(Ask, () => new Promise((resolve) => (answer = () => resolve({}))))])
  const pending = bus.request(Ask, {}, { timeoutMs: 60_000 })
  await time.settle()
  await expect(bus.request(Ask, {}, { timeoutMs: 60_000 })).rejects.toMatchObject({ code: 'OVERLOAD' })
  expect(await part('bus')).toMatchObject({
    state: 'degraded',
    sinceMs: time.nowMs(),
    reason: expect.stringMatching(/^refuses requests: 1 wait/),
  })
  answer()
  await pending
  expect(await part('bus')).toMatchObject({ state: 'up' })
  await bus.stop()
})

it('says why a service has given up, and keeps an answer for a carrier that has none', async () => {
  let end = (_: Error) => {}
  const { time, bus, part } = timedBus({}, (inner) => ({
    health: () => Promise.reject(new Error('probe broken')),
    async subscribe(options, deliver) {
      const subscription = await inner.subscribe(options, deliver)
      return {
        capabilities: subscription.capabilities,
        ended: new Promise<Error>((resolve) => (end = resolve)),
        stop: () => subscription.stop(),
        [Symbol.asyncDispose]: () => subscription.stop(),
      }
    },
  }))
  await bus.subscribe('billing', [on(Ping, () => {})])
  expect(await part('service billing')).toMatchObject({ state: 'up' })
  expect(await part('memory')).toMatchObject({ state: 'degraded', reason: expect.stringMatching(/probe broken/) })
  await time.advance(1_000)
  end(new ConnectionError('credentials refused'))
  await time.settle()
  expect(await part('service billing')).toEqual({
    part: 'service billing',
    state: 'down',
    sinceMs: time.nowMs(),
    reason: 'given up: ConnectionError: credentials refused',
  })
  await bus.stop()
})

it('names each of several carriers', async () => {
  const bus = createBus({ transport: route({ one: memory(), two: memory() }), source: '/test' })
  expect((await bus.health()).map(({ part }) => part)).toEqual(['bus', 'one: memory', 'two: memory'])
  await bus.stop()
})
