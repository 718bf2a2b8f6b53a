import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { Codec } from '../codec.ts'
import { defineEvent } from '../definition.ts'
import { PublishError } from '../errors.ts'
import { memory } from '../memory/index.ts'
import type { ParkedMessage } from '../parked.ts'
import { shared } from '../shared.ts'
import { manualTime } from '../testing/manual-time.ts'
import type { Delivery, Publisher, Subscription, Transport } from '../transport.ts'
import type { WireMessage } from '../wire-message.ts'
import { bridge } from './bridge.ts'
import { forward } from './forward.ts'
import type { BridgeOptions } from './options.ts'

const Booked = defineEvent('rental.booked', {
  schema: z.object({ id: z.string(), n: z.number() }),
  destination: { name: 'rentals' },
  orderingKey: ({ id }) => id,
})
const lines: Codec = {
  contentType: 'text/lines',
  encode: (data) => new TextEncoder().encode(Object.values(data as object).join('\n')),
  decode: (body) => {
    const [id, n] = new TextDecoder().decode(body).split('\n')
    return { id, n: Number(n) }
  },
}
const BookedAsLines = defineEvent('rental.booked.lines', { schema: Booked.schema, codec: lines, version: 2 })

const bytes = (text: string) => new TextEncoder().encode(text)

function message(given: Partial<WireMessage> = {}): WireMessage {
  return {
    id: 'm-1',
    type: 'rental.booked',
    destination: { kind: 'topic', name: 'rentals' },
    contentType: 'application/json',
    body: bytes('{"id":"a","n":1}'),
    attributes: { source: '/rentals', time: '2026-01-01T00:00:00Z' },
    headers: Object.assign(Object.create(null) as object, {}) as WireMessage['headers'],
    ...given,
  }
}

/** With bytes as bytes: a carrier may hand them out as Buffers. */
function plain(message: WireMessage): WireMessage {
  const headers = Object.create(null) as Record<string, string | Uint8Array>
  for (const [name, value] of Object.entries(message.headers)) {
    headers[name] = typeof value === 'string' ? value : Uint8Array.from(value)
  }
  return { ...message, headers, body: message.body && Uint8Array.from(message.body) }
}

/** All that a topic or queue gets, as it travels. */
async function watch(transport: Transport, kind: 'topic' | 'queue', name: string) {
  const seen: WireMessage[] = []
  const subscription: Subscription = await transport.subscribe(
    {
      service: `watch-${name}`,
      sources: [{ kind, name }],
      mode: 'ordered',
      ackBefore: false,
      maxOpen: 1_000,
      maxOpenBytes: 1e9,
      start: 'earliest',
    },
    async ({ message }: Delivery) => {
      seen.push(plain(message))
      return { outcome: 'ack' }
    },
  )
  return { seen, subscription }
}

/** Two memory transports on one clock that the test moves; `refuse` says what the far one does with a message. */
function banks(refuse: (message: WireMessage) => Error | undefined = () => undefined) {
  const time = manualTime()
  const from = memory({ ports: time.ports })
  const far = memory({ ports: time.ports })
  const to: Publisher = {
    capabilities: far.capabilities,
    publish: (messages, options) =>
      messages.map((message) => {
        const error = refuse(message)
        return error === undefined ? far.publish([message], options)[0]! : Promise.reject(error)
      }),
  }
  const open = (options: Partial<BridgeOptions> = {}) =>
    bridge({ name: 'over', from: shared(from), to, routes: [forward(Booked)], ports: time.ports, ...options })
  return { time, from, far, to, open }
}

const put = (transport: Transport, ...messages: WireMessage[]) => Promise.all(transport.publish(messages))

async function listed(from: AsyncIterable<ParkedMessage>): Promise<ParkedMessage[]> {
  const items: ParkedMessage[] = []
  for await (const item of from) items.push(item)
  return items
}

describe('a message that goes over a bridge', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 20 })
  const header = fc.string({ unit: fc.constantFrom('a', 'B', '-', '9'), minLength: 1, maxLength: 8 })
  const anyMessage = fc.record(
    {
      id: fc.uuid(),
      contentType: fc.constantFrom('application/json', '', 'text/plain; charset=utf-8'),
      body: fc.option(fc.uint8Array({ maxLength: 50 })),
      attributes: fc
        .dictionary(fc.constantFrom('source', 'time', 'sequence', 'dedupekey', 'causationid', 'subject'), text)
        .map((given) => ({ ...given })),
      headers: fc
        .dictionary(header, fc.oneof(text, fc.uint8Array({ maxLength: 9 })))
        .map((given) => Object.assign(Object.create(null) as object, given, { traceparent: '00-1-2-01' })),
      orderingKey: text,
      correlationId: text,
      expiresAtMs: fc.integer({ min: 2e12, max: 3e12 }),
    },
    { requiredKeys: ['id', 'contentType', 'body', 'attributes', 'headers'], noNullPrototype: true },
  )

  it('loses nothing: id, key, headers, attributes, correlation, expiry, trace, and the bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyMessage, { minLength: 1, maxLength: 10 }), async (given) => {
        const { time, from, far, open } = banks()
        const sent = given.map((part, index) => message({ ...part, id: `${part.id}-${index}` } as Partial<WireMessage>))
        const { seen } = await watch(far, 'topic', 'rentals')
        const running = await open()
        await put(from, ...sent)
        await time.settle()
        const byId = (one: WireMessage, other: WireMessage) => (one.id < other.id ? -1 : 1)
        expect([...seen].sort(byId)).toEqual(
          sent.map((one) => ({ ...one, attributes: { ...one.attributes, bridges: 'over' } })).sort(byId),
        )
        expect(running.stats).toEqual({ forwarded: sent.length, returned: 0, expired: 0, deadLettered: 0 })
        await running.stop()
        expect(time.armed).toBe(0)
      }),
      { numRuns: 30 },
    )
  })

  it('is written anew where a definition says how, and keeps all that is not its body', async () => {
    const { time, from, far, open } = banks()
    const { seen } = await watch(far, 'topic', 'rental.booked.lines')
    const map = ({ id, n }: { id: string; n: number }) => ({ id, n: n * 100 })
    const running = await open({ routes: [forward(Booked, { to: BookedAsLines, map })] })
    await put(from, message({ orderingKey: 'a', correlationId: 'c', expiresAtMs: 2e12 }))
    await time.settle()
    expect(seen).toEqual([
      message({
        type: 'rental.booked.lines.v2',
        destination: { kind: 'topic', name: 'rental.booked.lines' },
        contentType: 'text/lines',
        body: bytes('a\n100'),
        attributes: { source: '/rentals', time: '2026-01-01T00:00:00Z', bridges: 'over' },
        orderingKey: 'a',
        correlationId: 'c',
        expiresAtMs: 2e12,
      }),
    ])
    await put(from, message({ id: 'broken', body: bytes('{"id":7}') }))
    await time.settle()
    expect(await listed(running.parked.list())).toMatchObject([{ message: { id: 'broken' }, service: 'over' }])
    await running.stop()
  })

  it('may be of any type where a whole queue goes over, also of none', async () => {
    const { time, from, far, open } = banks()
    const { seen } = await watch(far, 'topic', 'legacy.events')
    const routes = [forward({ kind: 'queue', name: 'legacy' }, { to: { kind: 'topic', name: 'legacy.events' } })]
    const running = await open({ routes })
    const at = { destination: { kind: 'queue', name: 'legacy' } } as const
    await put(from, message({ ...at, id: '', type: '' }), message({ ...at, id: 'x', type: 'never.heard.of' }))
    await time.settle()
    expect(seen.map(({ id, type }) => [id === '' ? 'none' : 'some', type])).toEqual([
      ['some', ''],
      ['some', 'never.heard.of'],
    ])
    await running.stop()
  })

  it('keeps its routing subject, and gets the type that a definition assumes', async () => {
    const { time, from, far, open } = banks()
    const { seen } = await watch(far, 'topic', 'rentals')
    const running = await open({ assume: Booked })
    const destination = { kind: 'topic', name: 'rentals', subject: 'north' } as const
    await put(from, message({ destination, type: '', contentType: '' }))
    await time.settle()
    expect(seen).toMatchObject([{ destination, type: 'rental.booked' }])
    await running.stop()
  })

  it('is dropped and counted when its time is over', async () => {
    const { time, from, far, open } = banks()
    const { seen } = await watch(far, 'topic', 'rentals')
    const running = await open()
    await put(from, message({ expiresAtMs: 1 }))
    await time.settle()
    expect([seen.length, running.stats.expired]).toEqual([0, 1])
    await running.stop()
  })
})

describe('a failing publish', () => {
  it.each(['transport', 'destination'] as const)('waits while the %s is away, and counts nothing', async (scope) => {
    let away = true
    const refused = new PublishError('not now', { scope, retryable: true })
    const { time, from, far, open } = banks(() => (away ? refused : undefined))
    const { seen } = await watch(far, 'topic', 'rentals')
    const running = await open()
    const sent = Array.from({ length: 20 }, (_, n) => message({ id: `m-${n}`, orderingKey: `k${n % 3}` }))
    await put(from, ...sent)
    await time.advance(3_600_000)
    expect(seen).toEqual([])
    expect(await running.health()).toContainEqual(
      expect.objectContaining({ part: 'service over', state: 'degraded', reason: expect.stringContaining('not now') }),
    )
    away = false
    await time.advance(60_000)
    for (const key of ['k0', 'k1', 'k2']) {
      const of = (list: readonly WireMessage[]) => list.filter((one) => one.orderingKey === key).map(({ id }) => id)
      expect(of(seen)).toEqual(of(sent))
    }
    expect(running.stats).toMatchObject({ forwarded: 20, deadLettered: 0 })
    expect(await listed(running.parked.list())).toEqual([])
    await running.stop()
  })

  it('of one message is tried again, then a dead letter with its reason, while others pass', async () => {
    const { time, from, far, open } = banks(({ id }) => (id === 'bad' ? new PublishError('queue says no') : undefined))
    const { seen } = await watch(far, 'topic', 'rentals')
    const running = await open()
    await put(from, message({ id: 'bad' }), message({ id: 'good' }))
    await time.settle()
    expect(seen.map(({ id }) => id)).toEqual(['good'])
    await time.advance(700_000)
    const [parked] = await listed(running.parked.list())
    expect(parked).toMatchObject({ service: 'over', attempts: 12, reason: 'PublishError: queue says no' })
    expect(running.stats).toMatchObject({ forwarded: 1, deadLettered: 1 })
    await running.stop()
  })

  it.each<[string, Partial<WireMessage>, RegExp]>([
    ['is refused for good', { id: 'never' }, /too large/],
    ['has no body, for a carrier that knows none', { id: 'empty', body: null }, /without a body/],
    ['has a binary header, for a carrier that knows none', { id: 'b', headers: { h: bytes('x') } }, /binary headers/],
    ['asks for a reply', { id: 'ask', replyTo: 'me' }, /do not go over a bridge/],
  ])('of a message that %s is a dead letter at once', async (_, given, reason) => {
    const { time, from, to, open } = banks(({ id }) =>
      id === 'never' ? new PublishError('too large', { retryable: false }) : undefined,
    )
    const running = await open({ to: { publish: to.publish.bind(to), capabilities: {} } })
    await put(from, message(given))
    await time.settle()
    expect(await listed(running.parked.list())).toMatchObject([{ reason: expect.stringMatching(reason) }])
    await running.stop()
  })

  it('that never answers counts as away, and comes again', async () => {
    let answers = false
    const { time, from, to, far, open } = banks()
    const publish: Publisher['publish'] = (messages, options) =>
      answers ? to.publish(messages, options) : messages.map(() => new Promise<never>(() => {}))
    const { seen } = await watch(far, 'topic', 'rentals')
    const running = await open({ to: { publish, capabilities: far.capabilities }, forwardTimeoutMs: 1_000 })
    await put(from, message())
    await time.advance(600_000)
    answers = true
    await time.advance(120_000)
    expect(seen.map(({ id }) => id)).toEqual(['m-1'])
    expect(running.stats.deadLettered).toBe(0)
    await running.stop()
  })

  it('keeps the order of each key, whatever fails in between', async () => {
    const faults = fc.array(fc.constantFrom(undefined, 'message', 'transport', 'destination'), { maxLength: 25 })
    await fc.assert(
      fc.asyncProperty(faults, fc.array(fc.constantFrom('a', 'b'), { maxLength: 12 }), async (plan, keys) => {
        const left = [...plan]
        const { time, from, far, open } = banks(() => {
          const scope = left.shift() as 'message' | 'transport' | 'destination' | undefined
          return scope && new PublishError('planned', { scope })
        })
        const { seen } = await watch(far, 'topic', 'rentals')
        // tried for as long as it takes: a dead letter would be a gap
        const running = await open({ retry: () => ({ retryInMs: 10 }), concurrency: 4 })
        const sent = keys.map((orderingKey, n) => message({ id: `m-${n}`, orderingKey }))
        await put(from, ...sent)
        await time.advance(3_600_000)
        for (const key of ['a', 'b']) {
          const of = (list: readonly WireMessage[]) => list.filter((one) => one.orderingKey === key).map(({ id }) => id)
          expect(of(seen)).toEqual(of(sent))
        }
        await running.stop()
      }),
      { numRuns: 50 },
    )
  })
})

describe('a bridge that ends', () => {
  it('between the confirm and the ack leaves a second copy with the same id, and loses none', async () => {
    const { time, from, to, far, open } = banks()
    const { seen } = await watch(far, 'topic', 'rentals')
    // the far side has it, and its answer never comes
    const publish: Publisher['publish'] = (messages, options) => {
      void Promise.all(to.publish(messages, options))
      return messages.map(() => new Promise<never>(() => {}))
    }
    const killed = await open({ to: { publish, capabilities: far.capabilities } })
    await put(from, message())
    await time.settle()
    expect(seen).toHaveLength(1)
    const stopped = killed.stop({ drainTimeoutMs: 1 })
    await time.advance(10)
    await stopped
    const successor = await open()
    await time.advance(1_000)
    expect(seen.map(({ id }) => id)).toEqual(['m-1', 'm-1'])
    await successor.stop()
  })

  it('waits for what is on its way, then disposes both sides once, and takes no more', async () => {
    const { time, from, to, far } = banks()
    const disposed: string[] = []
    const confirm: (() => void)[] = []
    const near = Object.assign(shared(from), {})
    const running = await bridge({
      name: 'over',
      from: new Proxy(near, {
        get: (target, name) =>
          name === Symbol.asyncDispose
            ? async () => void disposed.push('from')
            : (Reflect.get(target, name) as unknown),
      }),
      to: {
        capabilities: far.capabilities,
        publish: (messages, options) =>
          messages.map((one) =>
            new Promise<void>((resolve) => confirm.push(resolve)).then(() => to.publish([one], options)[0]),
          ),
        [Symbol.asyncDispose]: async () => void disposed.push('to'),
      } as Publisher,
      routes: [forward(Booked)],
      ports: time.ports,
    })
    const { seen } = await watch(far, 'topic', 'rentals')
    await put(from, message())
    await time.settle()
    const stopped = Promise.all([running.stop(), running.stop(), running[Symbol.asyncDispose]()])
    await time.settle()
    expect([seen.length, disposed]).toEqual([0, []])
    for (const go of confirm) go()
    await stopped
    expect(disposed).toEqual(['from', 'to'])
    await put(from, message({ id: 'late' }))
    await time.settle()
    expect(seen.map(({ id }) => id)).toEqual(['m-1'])
    expect(await running.ended).toBeUndefined()
  })
})

it('a two-way bridge brings nothing back to where it came from', async () => {
  const { time, from, far, open } = banks()
  const there = await open({ name: 'there', to: shared(far), link: 'pair' })
  const back = await open({ name: 'back', from: shared(far), to: shared(from), link: 'pair' })
  const near = await watch(from, 'topic', 'rentals')
  const other = await watch(far, 'topic', 'rentals')
  await put(from, message({ id: 'ours' }))
  await put(far, message({ id: 'theirs' }))
  await time.advance(1_000)
  expect(near.seen.map(({ id }) => id).sort()).toEqual(['ours', 'theirs'])
  expect(other.seen.map(({ id }) => id).sort()).toEqual(['ours', 'theirs'])
  expect([there.stats, back.stats]).toMatchObject([
    { forwarded: 1, returned: 1 },
    { forwarded: 1, returned: 1 },
  ])
  await Promise.all([there.stop(), back.stop()])
})

it('a ring of bridges ends where it began', async () => {
  const { time, from, far, open } = banks()
  const first = await open({ name: 'first', to: shared(far) })
  const second = await open({ name: 'second', from: shared(far), to: shared(from) })
  const { seen } = await watch(from, 'topic', 'rentals')
  await put(from, message())
  await time.advance(1_000)
  expect(seen.map(({ attributes }) => attributes.bridges)).toEqual([undefined, 'first,second'])
  await Promise.all([first.stop(), second.stop()])
})
