import { AsyncLocalStorage } from 'node:async_hooks'
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterEach, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { createBus } from './create-bus.ts'
import { defineEvent, defineRequest } from './definition.ts'
import { on, respond } from './handler.ts'
import { memory } from './memory/index.ts'
import { retryPolicy } from './retry.ts'
import { manualTime } from './testing/manual-time.ts'

const Booked = defineEvent('rental.booked', { schema: z.object({ card: z.string() }) })
const Quote = defineRequest('pricing.quote', { schema: z.object({}), reply: z.object({ cents: z.number() }) })

const ends: (() => void)[] = []
afterEach(() => ends.splice(0).forEach((end) => end()))

/** Listens to channels, each event with its channel's name. */
function listen(...names: string[]) {
  const seen: Record<string, unknown>[] = []
  for (const name of names) {
    const onEvent = (event: unknown) => void seen.push({ channel: name, ...(event as object) })
    subscribe(`waybill:${name}`, onEvent)
    ends.push(() => unsubscribe(`waybill:${name}`, onEvent))
  }
  return seen
}

it('tells of each message when it is published, when its turn comes, and when it is settled', async () => {
  const time = manualTime()
  const seen = listen('publish', 'deliver', 'settle')
  await using bus = createBus({
    transport: memory({ ports: time.ports }),
    source: '/test',
    ports: time.ports,
    retry: retryPolicy({ inProcess: { tries: 2, firstMs: 50 }, roundsMs: [] }),
  })
  const service = await bus.subscribe('billing', [
    on(Booked, ({ card }) => {
      if (card !== 'good') throw Object.assign(new Error(`refused ${card}`), { code: 'EREFUSED' })
    }),
  ])
  const good = await bus.publish(Booked, { card: 'good' }, { correlationId: 'c-1' })
  await time.settle()
  const common = { id: good, type: 'rental.booked', transport: 'memory', correlationId: 'c-1' }
  const delivered = { ...common, service: 'billing', attempt: 1 }
  expect(seen.splice(0).sort((one, other) => String(one.channel).localeCompare(String(other.channel)))).toEqual([
    { channel: 'deliver', ...delivered },
    {
      channel: 'publish',
      ...common,
      destination: 'rental.booked',
      outcome: 'published',
      errorCode: undefined,
      durationMs: 0,
    },
    { channel: 'settle', ...delivered, outcome: 'ack', failures: 0, errorCode: undefined, durationMs: 0 },
  ])

  await bus.publish(Booked, { card: 'secret-4242' }, { headers: { mine: 'secret-header' } })
  await time.advance(50)
  const told = JSON.stringify(seen)
  expect(told).not.toMatch(/secret/)
  // both tries are one delivery
  expect(seen.filter((event) => event.channel === 'deliver')).toHaveLength(1)
  expect(seen.at(-1)).toMatchObject({
    channel: 'settle',
    outcome: 'deadLetter',
    failures: 2,
    errorCode: 'EREFUSED',
    durationMs: 50,
  })
  service.pause()
  await bus.publish(Booked, { card: 'good' }, { ttlMs: 10 })
  await time.advance(10)
  service.resume()
  await time.settle()
  expect(seen.at(-1)).toMatchObject({ channel: 'settle', outcome: 'expired' })
  await bus.stop()
  await expect(bus.publish(Booked, { card: 'good' })).rejects.toThrow()
  expect(seen.at(-1)).toMatchObject({ channel: 'publish', outcome: 'failed', errorCode: 'CLOSED' })
})

it('tells how a request ended', async () => {
  const time = manualTime()
  const seen = listen('request')
  await using bus = createBus({ transport: memory({ ports: time.ports }), source: '/test', ports: time.ports })
  let answers = true
  let answer = () => {}
  await bus.subscribe('pricing', [
    respond(Quote, () => (answers ? { cents: 7 } : new Promise((resolve) => (answer = () => resolve({ cents: 8 }))))),
  ])
  await bus.request(Quote, {}, { timeoutMs: 1_000 })
  answers = false
  const pending = bus.request(Quote, {}, { timeoutMs: 1_000 })
  pending.catch(() => {})
  await time.advance(1_000)
  await expect(pending).rejects.toMatchObject({ code: 'TIMEOUT' })
  const common = { channel: 'request', type: 'pricing.quote', destination: 'pricing.quote', transport: 'memory' }
  expect(seen).toEqual([
    { ...common, outcome: 'replied', errorCode: undefined, durationMs: 0 },
    { ...common, outcome: 'failed', errorCode: 'TIMEOUT', durationMs: 1_000 },
  ])
  const late = listen('late-reply')
  answer()
  await time.settle()
  expect(late).toEqual([{ channel: 'late-reply', total: 1 }])
})

it('runs a handler within the stores that are bound to the channel', async () => {
  const store = new AsyncLocalStorage<string>()
  const deliver = channel('waybill:deliver')
  deliver.bindStore(store, (event) => `trace of ${(event as { type: string }).type}`)
  ends.push(() => deliver.unbindStore(store))
  await using bus = createBus({ transport: memory(), source: '/test' })
  const seen: unknown[] = []
  await bus.subscribe('billing', [
    on(Booked, async () => {
      await new Promise((resolve) => setImmediate(resolve))
      seen.push(store.getStore())
    }),
  ])
  await bus.publish(Booked, { card: 'good' })
  await vi.waitFor(() => expect(seen).toEqual(['trace of rental.booked']))
})

it('asks nothing but whether anybody listens while nobody does', async () => {
  const time = manualTime()
  let looks = 0
  const ports = { ...time.ports, clock: { nowMs: () => (looks++, time.nowMs()) } }
  await using bus = createBus({ transport: memory({ ports: time.ports }), source: '/test', ports })
  await bus.subscribe('billing', [on(Booked, () => {})])
  const looksOf = async () => {
    looks = 0
    await bus.publish(Booked, { card: 'good' })
    await time.settle()
    return looks
  }
  const silent = await looksOf()
  listen('publish', 'settle')
  expect((await looksOf()) - silent).toBe(4)
  ends.splice(0).forEach((end) => end())
  expect(await looksOf()).toBe(silent)
})
