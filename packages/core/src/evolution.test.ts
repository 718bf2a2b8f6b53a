import { afterEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createBus } from './create-bus.ts'
import { defineEvent, defineRequest } from './definition.ts'
import { ConfigError } from './errors.ts'
import { on, respond, type Route } from './handler.ts'
import { manualTime } from './testing/manual-time.ts'
import { memory } from './memory/index.ts'
import type { ParkedMessage } from './parked.ts'
import { fromVersion } from './upcast.ts'

const V1 = defineEvent('rental.booked', { schema: z.object({ name: z.string(), days: z.number() }) })
const V2 = defineEvent('rental.booked', {
  version: 2,
  schema: z.object({ first: z.string(), last: z.string(), days: z.number() }),
  upcast: {
    1: ({ name, days }: { name: string; days: number }) => {
      const [first = '', last = ''] = name.split(' ')
      return { first, last, days }
    },
  },
})
const V3 = defineEvent('rental.booked', {
  version: 3,
  schema: z.object({ who: z.string().min(1), hours: z.number() }),
  upcast: {
    1: fromVersion(V1, ({ name, days }) => ({ who: name, hours: days * 24 })),
    2: fromVersion(V2, ({ first, last, days }) => ({ who: `${first} ${last}`, hours: days * 24 })),
  },
})

const buses: AsyncDisposable[] = []
afterEach(async () => {
  for (const bus of buses.splice(0)) await bus[Symbol.asyncDispose]()
})

function start() {
  const time = manualTime()
  const transport = memory({ ports: time.ports })
  const bus = createBus({ transport, source: '/test', ports: time.ports })
  buses.push(bus)
  const seen: unknown[] = []
  const parked = async () => {
    const all: ParkedMessage[] = []
    for await (const item of bus.parked.list()) all.push(item)
    return all
  }
  const route = (definition: typeof V1 | typeof V2 | typeof V3): Route =>
    on(definition, (data, { message }) => {
      seen.push([definition.version, message.version, message.type, data])
    })
  return { time, bus, transport, seen, parked, route }
}

describe('versions of one message', () => {
  it('are handled side by side in one service, each by its own route', async () => {
    const { time, bus, seen, route } = start()
    await bus.subscribe('s', [route(V1), route(V2), route(V3)])
    await bus.publish(V1, { name: 'Ada L', days: 1 })
    await bus.publish(V2, { first: 'Ada', last: 'L', days: 2 })
    await bus.publish(V3, { who: 'Ada L', hours: 3 })
    await time.settle()
    expect(seen).toEqual([
      [1, 1, 'rental.booked', { name: 'Ada L', days: 1 }],
      [2, 2, 'rental.booked', { first: 'Ada', last: 'L', days: 2 }],
      [3, 3, 'rental.booked', { who: 'Ada L', hours: 3 }],
    ])
  })

  it('are upcast where only the newer route is there, each directly, and the handler is told what travelled', async () => {
    const { time, bus, seen, route } = start()
    await bus.subscribe('s', [route(V3)])
    await bus.publish(V1, { name: 'Ada L', days: 1 })
    await bus.publish(V2, { first: 'Ada', last: 'L', days: 2 })
    await time.settle()
    expect(seen).toEqual([
      [3, 1, 'rental.booked', { who: 'Ada L', hours: 24 }],
      [3, 2, 'rental.booked', { who: 'Ada L', hours: 48 }],
    ])
  })

  it('go to the nearest newer route that reads them, whatever the order of the routes', async () => {
    for (const order of [(routes: Route[]) => routes, (routes: Route[]) => routes.reverse()]) {
      const { time, bus, seen, route } = start()
      await bus.subscribe('s', order([route(V2), route(V3)]))
      await bus.publish(V1, { name: 'Ada L', days: 1 })
      await time.settle()
      expect(seen).toEqual([[2, 1, 'rental.booked', { first: 'Ada', last: 'L', days: 1 }]])
    }
  })

  it('that nobody reads wait ten minutes uncounted, then are dead letters', async () => {
    const { time, bus, seen, parked, route } = start()
    const V4 = defineEvent('rental.booked', { version: 4, schema: z.object({}) })
    await bus.subscribe('s', [route(V3)])
    await bus.publish(V4, {})
    await time.advance(590_000)
    expect(await parked()).toEqual([])
    await time.advance(30_000)
    expect(await parked()).toMatchObject([
      { reason: expect.stringContaining('unknown type "rental.booked.v4"') as string },
    ])
    expect(seen).toEqual([])
  })

  it.each([
    [
      'throws',
      () => {
        throw new TypeError('secret-name')
      },
      'CodecError: upcast of "rental.booked" from version 1 to 2 threw TypeError: let it take every form that version had',
    ],
    [
      'throws no error',
      () => {
        // eslint-disable-next-line @typescript-eslint/only-throw-error -- users do
        throw 'secret-name'
      },
      'CodecError: upcast of "rental.booked" from version 1 to 2 threw string: let it take every form that version had',
    ],
    [
      'does not fit',
      () => ({ total: 'secret-name' }),
      /^ValidationError: .*"rental.booked" as "rental.booked.v2".*total/,
    ],
  ])('whose upcaster %s become dead letters at once, with a reason that quotes nothing', async (_, upcast, reason) => {
    const { time, bus, parked } = start()
    const Total = defineEvent('rental.booked', {
      version: 2,
      schema: z.object({ total: z.number() }),
      upcast: { 1: upcast as () => { total: number } },
    })
    await bus.subscribe('s', [on(Total, () => undefined)])
    await bus.publish(V1, { name: 'secret-name', days: 1 })
    await time.settle()
    const [item] = await parked()
    expect(item!.reason).toMatch(reason)
    expect(item!.reason).not.toContain('secret')
    expect(item).toMatchObject({ attempts: 1, message: { type: 'rental.booked' } })
  })

  it('are checked by the older definition where the upcaster names it', async () => {
    const { time, bus, parked, route } = start()
    const Loose = defineEvent('rental.booked', { schema: z.object({ days: z.number() }) })
    await bus.subscribe('s', [route(V3)])
    await bus.publish(Loose, { days: 1 })
    await time.settle()
    expect(await parked()).toMatchObject([
      { reason: expect.stringMatching(/data of "rental\.booked" .*name/) as string },
    ])
  })

  it('are checked by an asynchronous schema of the older one too', async () => {
    const { time, bus, seen } = start()
    const Slow = defineEvent('rental.booked', { schema: z.object({ n: z.number() }).refine(async () => true) })
    const Next = defineEvent('rental.booked', {
      version: 2,
      schema: z.object({ twice: z.number() }).refine(async () => true),
      upcast: { 1: fromVersion(Slow, ({ n }) => ({ twice: n * 2 })) },
    })
    await bus.subscribe('s', [on(Next, ({ twice }) => void seen.push(twice))])
    await bus.publish(Slow, { n: 4 })
    await time.settle()
    expect(seen).toEqual([8])
  })

  it('differ in delivery: refused, since two subscriptions would each get both', async () => {
    const { bus, route } = start()
    const Once = defineEvent('rental.booked', { version: 4, schema: z.object({}), delivery: 'at-most-once' })
    await expect(bus.subscribe('s', [route(V1), on(Once, () => undefined)])).rejects.toThrow(ConfigError)
  })
})

describe('versions of a request', () => {
  const Old = defineRequest('quote', { schema: z.object({ days: z.number() }), reply: z.object({ euros: z.number() }) })
  const request = (downcast: ((reply: { cents: number }) => unknown) | undefined) =>
    defineRequest('quote', {
      version: 2,
      schema: z.object({ hours: z.number() }),
      reply: z.object({ cents: z.number() }),
      upcast: { 1: fromVersion(Old, ({ days }) => ({ hours: days * 24 })) },
      ...(downcast && { downcast: { 1: downcast } }),
    })

  it('are answered in the version that asked', async () => {
    const { time, bus } = start()
    const New = request(({ cents }) => ({ euros: cents / 100 }))
    await bus.subscribe('s', [respond(New, ({ hours }) => ({ cents: hours * 100 }))])
    const answers = [
      bus.request(Old, { days: 1 }, { timeoutMs: 5_000 }),
      bus.request(New, { hours: 5 }, { timeoutMs: 5_000 }),
    ]
    await time.settle()
    expect(await Promise.all(answers)).toEqual([{ euros: 24 }, { cents: 500 }])
  })

  it('whose answer can not be made older tell the requester so', async () => {
    const { time, bus } = start()
    const New = request(() => {
      throw new Error('secret')
    })
    await bus.subscribe('s', [respond(New, () => ({ cents: 1 }))])
    const answer = bus.request(Old, { days: 1 }, { timeoutMs: 5_000 }).catch((error: unknown) => error)
    await time.settle()
    expect(await answer).toMatchObject({
      code: 'REMOTE',
      remoteCode: 'CODEC',
      message: expect.stringMatching(/^downcast .* threw Error/) as string,
    })
  })
})

describe('upcasters', () => {
  const define = (upcast: object, version = 3) =>
    defineEvent('rental.booked', {
      version,
      schema: z.object({}),
      upcast: upcast as { 1: () => Record<string, never> },
    })

  it.each([
    ['the same version', { 3: () => ({}) }],
    ['a newer version', { 4: () => ({}) }],
    ['version 0', { 0: () => ({}) }],
    ['a word', { one: () => ({}) }],
    ['a fraction', { 1.5: () => ({}) }],
    ['no function', { 1: 'x' }],
    ['nothing', { 1: undefined }],
    ['the version of another number', { 2: fromVersion(V1, () => ({})) }],
    ['another type', { 1: fromVersion(defineEvent('other', { schema: z.object({}) }), () => ({})) }],
  ])('under %s are refused', (_, upcast) => {
    expect(() => define(upcast)).toThrow(ConfigError)
  })

  it('of an answer need one of the question', () => {
    const schema = z.object({})
    const options = { schema, reply: schema, version: 2, downcast: { 1: () => ({}) } }
    expect(() => defineRequest('quote', options)).toThrow(ConfigError)
  })
})
