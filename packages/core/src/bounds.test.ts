import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { BackOffs } from './back-offs.ts'
import { createBus } from './create-bus.ts'
import { defineEvent, defineRequest } from './definition.ts'
import { OverloadError } from './errors.ts'
import { on, respond } from './handler.ts'
import type { IntakeContext } from './intake-context.ts'
import { keyedPublisher } from './keyed-publisher.ts'
import { Lanes } from './lanes.ts'
import { memory } from './memory/index.ts'
import { resolveMemoryOptions, type MemoryOptions } from './memory/options.ts'
import { Store } from './memory/store.ts'
import { onBatch } from './on-batch.ts'
import { Returned } from './returned.ts'
import { manualTime } from './testing/manual-time.ts'
import type { Transport } from './transport.ts'
import type { WireMessage } from './wire-message.ts'
import type { Work } from './work.ts'

const Ping = defineEvent('ping', { schema: z.object({ n: z.number() }) })
const Ask = defineRequest('ask', { schema: z.object({}), reply: z.object({}) })
const never = () => new Promise<never>(() => {})

const message = (id: string, given: Partial<WireMessage> = {}): WireMessage => ({
  id,
  type: 't',
  destination: { kind: 'topic', name: 't' },
  contentType: 'text/plain',
  body: new Uint8Array(10),
  attributes: {},
  headers: {},
  ...given,
})

const service = { service: 's', sources: [{ kind: 'topic', name: 't' }], mode: 'compete' } as const

/** A memory transport that knows how many deliveries were open at most, and all that was published. */
function watched(options: MemoryOptions = {}) {
  const time = manualTime()
  const inner = memory({ ...options, ports: time.ports })
  const seen = { open: 0, most: 0, replies: 0, published: [] as WireMessage[] }
  const transport: Transport = Object.assign(Object.create(inner) as Transport, {
    capabilities: inner.capabilities,
    parked: inner.parked,
    publish(messages: readonly WireMessage[]) {
      seen.published.push(...messages)
      return inner.publish(messages)
    },
    subscribe: (...[given, deliver]: Parameters<Transport['subscribe']>) =>
      inner.subscribe(given, async (delivery) => {
        seen.most = Math.max(seen.most, ++seen.open)
        return await deliver(delivery).finally(() => seen.open--)
      }),
    declare: (topology: Parameters<NonNullable<Transport['declare']>>[0]) => inner.declare!(topology),
    openReplies(...given: Parameters<NonNullable<Transport['openReplies']>>) {
      seen.replies++
      return inner.openReplies!(...given)
    },
    health: () => inner.health(),
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  })
  return { time, inner, transport, seen, source: '/test', ports: time.ports }
}

describe('what waits in a service', () => {
  it('to run: its window', async () => {
    const at = watched()
    const bus = createBus(at)
    await bus.subscribe('s', [on(Ping, never)], { concurrency: 1 })
    for (let n = 0; n < 300; n++) await bus.publish(Ping, { n })
    await at.time.settle()
    expect(at.seen.most).toBe(64)
  })

  it('between two tries: its window', async () => {
    const at = watched()
    const bus = createBus(at)
    await bus.subscribe('s', [on(Ping, () => Promise.reject(new Error('no')))], {
      retry: () => ({ retryInMs: 60_000 }),
    })
    for (let n = 0; n < 300; n++) await bus.publish(Ping, { n })
    await at.time.settle()
    expect(at.seen.most).toBe(64)
    await bus.stop()
  })

  it.each([
    { size: 50, concurrency: 3, most: 200, what: 'a batch for each place and one more' },
    { size: 50, concurrency: 200, most: 1_000, what: 'at most a thousand' },
    { size: 600, concurrency: 10, most: 1_200, what: 'or two batches' },
  ])('for its batches: $what', async ({ size, concurrency, most }) => {
    const at = watched()
    const bus = createBus(at)
    await bus.subscribe('s', [onBatch(Ping, never, { size, waitMs: 60_000 })], { concurrency })
    for (let n = 0; n < 2_000; n++) await bus.publish(Ping, { n })
    await at.time.settle()
    expect(at.seen.most).toBe(most)
  })

  it('for a round, held open: half of its window', () => {
    const context = { options: { maxOpen: 64 } } as IntakeContext
    const held = new BackOffs(context, new Lanes<Work>(1), () => {})
    const works = Array.from({ length: 33 }, () => ({}) as Work)
    expect(works.filter((work) => held.tryHold(work))).toHaveLength(32)
    held.endHold(works[0]!)
    expect(held.tryHold(works[32]!)).toBe(true)
  })

  it('as requests, where it is told how many: the rest is shed', async () => {
    const at = watched()
    const bus = createBus(at)
    await bus.subscribe('s', [respond(Ask, never)], { concurrency: 1, maxWaiting: 2 })
    for (let n = 0; n < 10; n++) void bus.request(Ask, {}, { timeoutMs: 60_000 }).catch(() => {})
    await at.time.settle()
    expect(bus.stats.shedRequests).toBe(7)
  })

  it('as tries of what was given back: the last thousand', () => {
    const returned = new Returned()
    for (let n = 0; n < 1_500; n++) {
      returned.remember({ tries: 1, failures: 1, message: { id: String(n) }, notes: { rounds: 0 } } as unknown as Work)
    }
    expect(returned.size).toBe(1_000)
  })
})

describe('what waits in a bus', () => {
  it('for its confirm: maxPendingPublishes', async () => {
    const at = watched()
    at.transport.publish = (messages) => messages.map(never)
    const bus = createBus({ ...at, limits: { maxPendingPublishes: 2 } })
    for (const n of [1, 2]) void bus.publish(Ping, { n })
    await at.time.settle()
    await expect(bus.publish(Ping, { n: 3 })).rejects.toThrow(OverloadError)
  })

  it('for one of its key, also after its caller has gone: 10,000', async () => {
    const publisher = keyedPublisher({ publish: (messages) => messages.map(never) }, 2)
    const enter = () => publisher.publish([message('1', { orderingKey: 'a' })])[0]!
    for (let n = 0; n < 3; n++) void enter()
    await expect(enter()).rejects.toThrow(/2 messages wait for an earlier one of their ordering key/)
    // another key has nobody to wait for
    const other = publisher.publish([message('2', { orderingKey: 'b' })])[0]!
    expect(await Promise.race([other, Promise.resolve('waits')])).toBe('waits')
  })

  it('for a reply: maxPendingRequests, over one address', async () => {
    const at = watched()
    const bus = createBus({ ...at, limits: { maxPendingRequests: 50 } })
    await bus.subscribe('s', [respond(Ask, never)])
    const ask = () => bus.request(Ask, {}, { timeoutMs: 60_000 })
    for (let n = 0; n < 50; n++) void ask().catch(() => {})
    await at.time.settle()
    await expect(ask()).rejects.toThrow(OverloadError)
    expect(at.seen.replies).toBe(1)
  })

  it('in a gathering, of answers: maxAnswers', async () => {
    const at = watched()
    const bus = createBus({ ...at, limits: { maxAnswers: 2 } })
    for (const name of ['a', 'b', 'c']) await bus.subscribe(name, [respond(Ask, () => ({}))])
    const gathering = bus.gather(Ask, {}, { timeoutMs: 1_000 })
    await at.time.settle()
    expect((await gathering).replies).toHaveLength(2)
    await bus.stop()
  })

  it('of gatherings that ended, for stragglers: the last thousand', async () => {
    const at = watched()
    const bus = createBus(at)
    await bus.subscribe('s', [respond(Ask, () => ({}))])
    const ended = []
    for (let n = 0; n < 1_001; n++) {
      const gathering = bus.gather(Ask, {}, { expect: 1, timeoutMs: 1_000 })
      await at.time.settle()
      ended.push(await gathering)
    }
    const replies = at.seen.published.filter(({ destination }) => destination.kind === 'reply')
    await Promise.all(at.inner.publish([replies[0]!, replies[1]!]))
    await at.time.settle()
    expect(ended.slice(0, 2).map(({ late }) => late)).toEqual([0, 1])
    expect(bus.stats.lateReplies).toBe(2)
    await bus.stop()
  })
})

describe('what waits in the memory transport', () => {
  const full = { fault: { scope: 'destination' } }
  const declared = async (options: MemoryOptions) => {
    const at = watched(options)
    await at.inner.declare!({ destinations: [{ kind: 'queue', name: 'q' }], subscriptions: [service] })
    return { ...at, publish: (given: Partial<WireMessage> = {}) => at.inner.publish([message('1', given)])[0]! }
  }

  it('for a service: maxQueued and maxQueuedBytes; then in the waiting room: maxWaiting', async () => {
    for (const bound of [{ maxQueued: 1 }, { maxQueuedBytes: 1 }]) {
      const { time, publish } = await declared({ ...bound, maxWaiting: 1 })
      await publish()
      const waits = publish().catch((error: unknown) => error)
      await expect(publish()).rejects.toThrow(/wait for room/)
      await time.advance(5_000)
      expect(await waits).toMatchObject(full)
    }
  })

  it('in a waiting room whose publishers gave up: twice maxWaiting, behind one that waits on', () => {
    const store = new Store(service, 0, resolveMemoryOptions({ maxQueued: 1, maxWaiting: 5 }))
    const entry = (withdrawn: boolean) => {
      return { message: message('1'), bytes: 10, sequence: 1, attempt: 1, notes: undefined, place: -1, withdrawn }
    }
    for (let n = 0; n < 2; n++) store.offer(entry(false), () => {})
    for (let n = 0; n < 1_000; n++) store.offer(entry(true), () => {})
    expect(store.waiting).toBeLessThanOrEqual(10)
  })

  it('to be delivered later: maxQueued too', async () => {
    const { time, publish } = await declared({ maxQueued: 2 })
    const later = { deliverAtMs: time.nowMs() + 60_000 }
    for (let n = 0; n < 2; n++) await publish(later)
    await expect(publish(later)).rejects.toMatchObject(full)
  })

  it('in a queue that nobody reads: maxQueued', async () => {
    const { publish } = await declared({ maxQueued: 1 })
    const destination = { kind: 'queue', name: 'q' } as const
    await publish({ destination })
    await expect(publish({ destination })).rejects.toMatchObject(full)
  })

  it('of a topic, for services to come: maxHistory', async () => {
    const { inner, publish } = await declared({ maxHistory: 2 })
    for (let n = 0; n < 5; n++) await publish()
    const ids: string[] = []
    const options = {
      ...service,
      service: 'late',
      ackBefore: false,
      maxOpen: 10,
      maxOpenBytes: 1_000,
      start: 'earliest',
    } as const
    const subscription = await inner.subscribe(options, async ({ position }) => {
      ids.push(String(position))
      return { outcome: 'ack' }
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect(ids).toEqual(['4', '5'])
    await subscription.stop()
  })
})
