import { describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import type { BusOptions } from './bus.ts'
import { createBus } from './create-bus.ts'
import { defineCommand, defineEvent, defineRequest } from './definition.ts'
import { ConnectionError, UnrecoverableError } from './errors.ts'
import { on, respond, type Context } from './handler.ts'
import { manualTime } from './testing/manual-time.ts'
import { memory } from './memory/index.ts'
import type { ParkedMessage, ParkedStore } from './parked.ts'
import { route } from './route.ts'
import { shared } from './shared.ts'
import type { Transport } from './transport.ts'

const Ping = defineEvent('ping', { schema: z.object({ n: z.number() }) })
const Keyed = defineEvent('keyed', {
  schema: z.object({ key: z.string(), n: z.number() }),
  orderingKey: ({ key }) => key,
})
const Ask = defineRequest('ask', { schema: z.object({ n: z.number() }), reply: z.object({ twice: z.number() }) })

/** A bus over the memory transport, both on a clock that the test moves. */
function timedBus(options: Partial<BusOptions> = {}) {
  const time = manualTime()
  const transport = memory({ ports: time.ports })
  return { time, transport, bus: createBus({ transport, source: '/test', ports: time.ports, ...options }) }
}

/** The same transport without some of its capabilities, and without pause. */
function weaker(transport: Transport, without: Partial<Transport['capabilities']>): Transport {
  const capabilities = { ...transport.capabilities, ...without }
  return {
    name: 'weaker',
    capabilities,
    publish: (messages, options) => transport.publish(messages, options),
    declare: (topology) => transport.declare!(topology),
    health: () => transport.health(),
    async subscribe(options, deliver) {
      const { ended, ...subscription } = await transport.subscribe(options, deliver).then((inner) => ({
        ended: inner.ended,
        stop: inner.stop.bind(inner),
        [Symbol.asyncDispose]: () => inner.stop(),
      }))
      return { ...subscription, ended, capabilities }
    },
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  }
}

describe('a failing message', () => {
  it('is tried in the process, then in rounds, then dead-lettered with its history', async () => {
    const { time, bus } = timedBus()
    const attempts: number[] = []
    await bus.subscribe('s', [
      on(Ping, (_, { attempt, message }: Context) => {
        attempts.push(attempt)
        expect(Object.keys(message.headers)).toEqual(['mine'])
        throw new Error('no good')
      }),
    ])
    await bus.publish(Ping, { n: 1 }, { headers: { mine: 'x' } })
    await time.advance(700_000)
    expect(attempts).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    const [parked] = await listed(bus.parked)
    expect(parked).toMatchObject({ service: 's', attempts: 12, reason: 'Error: no good' })
    expect(parked!.message.headers).toMatchObject({ mine: 'x', 'waybill-failures': '12', 'waybill-rounds': '3' })
    expect(bus.stats.deadLettered).toBe(1)
    await bus.stop()
    expect(time.armed).toBe(0)
  })

  it('holds back its key alone, and is judged by the policy whatever was thrown', async () => {
    const { time, bus } = timedBus()
    const seen: string[] = []
    let failures = 0
    await bus.subscribe('s', [
      on(Keyed, ({ key, n }) => {
        if (key === 'a' && n === 1 && failures++ < 2)
          // eslint-disable-next-line @typescript-eslint/only-throw-error -- users do
          throw [undefined, new TypeError('x is not a function')][failures - 1]
        seen.push(`${key}${n}`)
      }),
    ])
    for (const [key, n] of [
      ['a', 1],
      ['a', 2],
      ['b', 1],
    ] as const)
      await bus.publish(Keyed, { key, n })
    await time.settle()
    expect(seen).toEqual(['b1'])
    await time.advance(10_000)
    expect(seen).toEqual(['b1', 'a1', 'a2'])
    await bus.stop()
  })

  it.each([
    ['', 0],
    [', although the clock is set ahead', 3_600_000],
    [', although the clock is set back', -3_600_000],
  ])(
    'that is kept open where the carrier can not bring it again comes in its rounds all the same%s',
    async (_, byMs) => {
      const time = manualTime()
      let setMs = 0
      const ports = { ...time.ports, clock: { nowMs: () => time.nowMs() + setMs, steadyMs: () => time.nowMs() } }
      const transport = weaker(memory({ ports }), { requeue: undefined, maxHoldMs: 200_000 })
      const bus = createBus({ transport, source: '/test', ports })
      let tries = 0
      const fail = () => {
        if (tries === 1) setMs = byMs
        return Promise.reject(new Error(`no ${++tries}`))
      }
      await bus.subscribe('s', [on(Ping, fail)], { concurrency: 1 })
      await bus.publish(Ping, { n: 1 })
      await time.advance(20_000)
      expect(tries).toBe(6)
      // the second round, after a minute, still fits in half of what may be held; the third does not
      await time.advance(100_000)
      expect(tries).toBe(9)
      expect(bus.stats.deadLettered).toBe(1)
      await bus.stop()
    },
  )

  it('is parked in the store that is given, however often that fails, and only then acked', async () => {
    const items: Omit<ParkedMessage, 'handle'>[] = []
    let refusals = 5
    const park: ParkedStore['park'] = (given) =>
      given.map(async (item) => {
        if (refusals-- > 0) throw new Error('store away')
        items.push(item)
      })
    const { time, bus, transport } = timedBus({ parked: { park } as ParkedStore })
    await bus.subscribe('s', [on(Ping, () => Promise.reject(new UnrecoverableError('never')))])
    await bus.publish(Ping, { n: 1 })
    await time.settle()
    expect((await bus.health()).find(({ part }) => part === 'service s')).toMatchObject({ state: 'degraded' })
    await time.advance(10_000)
    expect(items).toMatchObject([{ service: 's', attempts: 1, reason: 'UnrecoverableError: never' }])
    expect((await transport.health()).find(({ part }) => part.endsWith(' s'))).toMatchObject({ lag: 0 })
    await bus.stop()
  })
})

describe('a stopped line', () => {
  it.each([
    ['with pause', false],
    ['without pause', true],
  ])('probes until the dependency is back, %s, and loses no order', async (_, bare) => {
    const time = manualTime()
    const inner = memory({ ports: time.ports })
    const transport = bare ? weaker(inner, {}) : inner
    const bus = createBus({ transport, source: '/test', ports: time.ports })
    let away = true
    let tries = 0
    const seen: number[] = []
    await bus.subscribe('s', [
      on(Keyed, ({ n }) => {
        tries++
        if (away) throw new ConnectionError('database away')
        seen.push(n)
      }),
    ])
    for (let n = 0; n < 50; n++) await bus.publish(Keyed, { key: String(n % 5), n })
    await time.advance(300_000)
    expect(seen).toEqual([])
    // five keys at the start, then one probe after about 1, 2, 4, 8, 16, 30, 30 … s
    expect(tries).toBeLessThan(30)
    expect((await bus.health()).find(({ part }) => part === 'service s')).toMatchObject({
      state: 'degraded',
      reason: expect.stringContaining('database away') as string,
    })
    away = false
    await time.advance(31_000)
    expect(seen).toHaveLength(50)
    for (let key = 0; key < 5; key++) {
      const ofKey = seen.filter((n) => n % 5 === key)
      expect(ofKey).toEqual([...ofKey].sort((one, other) => one - other))
    }
    expect(bus.stats.deadLettered).toBe(0)
    expect((await bus.health()).find(({ part }) => part === 'service s')).toMatchObject({ state: 'up' })
    await bus.stop()
  })
})

describe('a handler', () => {
  it('that ends only when its signal aborts has its time, fails, and does not stop the line', async () => {
    const { time, bus } = timedBus()
    const reasons: unknown[] = []
    await bus.subscribe(
      's',
      [
        on(Ping, (_, { signal }) => {
          return new Promise((resolve) => {
            signal.addEventListener('abort', () => {
              reasons.push((signal.reason as { code?: unknown }).code)
              resolve()
            })
          })
        }),
      ],
      { handlerTimeoutMs: 1_000, retry: () => ({ deadLetter: 'too slow' }) },
    )
    await bus.publish(Ping, { n: 1 })
    await time.advance(1_000)
    expect(reasons).toEqual(['TIMEOUT'])
    expect(await listed(bus.parked)).toMatchObject([{ reason: 'too slow' }])
    await bus.stop()
  })

  it('is waited for at stop, and only what runs is run', async () => {
    const { time, bus, transport } = timedBus()
    let started = 0
    let finish = () => {}
    await bus.subscribe('s', [on(Ping, () => (started++, new Promise<void>((resolve) => (finish = resolve))))], {
      concurrency: 1,
    })
    for (let n = 0; n < 5; n++) await bus.publish(Ping, { n })
    await time.settle()
    const stopped = bus.stop()
    await time.settle()
    finish()
    await stopped
    expect(started).toBe(1)
    expect((await transport.health()).find(({ part }) => part.endsWith(' s'))).toMatchObject({ lag: 4 })
    await expect(bus.publish(Ping, { n: 9 })).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(bus.request(Ask, { n: 9 }, { timeoutMs: 10 })).rejects.toMatchObject({ code: 'CLOSED' })
    await bus.stop()
  })

  it('sees no message of a type it does not know; that one waits uncounted, then is dead-lettered', async () => {
    const time = manualTime()
    const broker = memory({ ports: time.ports })
    const bus = createBus({ transport: broker, source: '/test', ports: time.ports })
    const Newer = defineEvent('ping', {
      version: 2,
      schema: z.object({ n: z.number() }),
      destination: Ping.destination,
    })
    await bus.subscribe('s', [on(Ping, () => {})])
    await bus.publish(Newer, { n: 1 })
    await time.advance(590_000)
    expect(bus.stats).toMatchObject({ deadLettered: 0 })
    await time.advance(20_000)
    expect(await listed(bus.parked)).toMatchObject([{ reason: expect.stringContaining('ping.v2') as string }])
    await bus.stop()
  })
})

describe('request and reply', () => {
  it.each([
    ['by reply address', false],
    ['by a subscription', true],
  ])('answer %s, with errors typed and nothing left behind', async (_, bare) => {
    const time = manualTime()
    const inner = memory({ ports: time.ports })
    const bus = createBus({ transport: bare ? weaker(inner, {}) : inner, source: '/test', ports: time.ports })
    await bus.subscribe('s', [
      respond(Ask, ({ n }) => {
        if (n === 0) throw Object.assign(new Error('no zero'), { code: 'ZERO', stack: 'secret' })
        return n < 0 ? new Promise<never>(() => {}) : { twice: 2 * n }
      }),
    ])
    expect(await bus.request(Ask, { n: 4 }, { timeoutMs: 1_000 })).toEqual({ twice: 8 })
    const failed = bus.request(Ask, { n: 0 }, { timeoutMs: 1_000 })
    await expect(failed).rejects.toMatchObject({
      code: 'REMOTE',
      remoteCode: 'ZERO',
      message: 'no zero',
      retryable: false,
    })
    const silent = bus.request(Ask, { n: -1 }, { timeoutMs: 1_000 })
    silent.catch(() => {})
    await time.advance(1_000)
    await expect(silent).rejects.toMatchObject({ code: 'TIMEOUT' })
    const reason = new Error('changed my mind')
    const aborted = bus.request(Ask, { n: -2 }, { timeoutMs: 1_000, signal: AbortSignal.abort(reason) })
    await expect(aborted).rejects.toBe(reason)
    const pending = bus.request(Ask, { n: -3 }, { timeoutMs: 60_000 })
    pending.catch(() => {})
    await time.settle()
    const stopped = bus.stop({ drainTimeoutMs: 10 })
    await time.advance(60_000)
    await stopped
    await expect(pending).rejects.toMatchObject({ code: 'CLOSED' })
  })

  it('reject what is pending when the reply address is lost, and open another for the next', async () => {
    let lose = (_: Error) => {}
    let opened = 0
    const inner = memory()
    const transport: Transport = {
      ...weaker(inner, {}),
      async openReplies(onReply, onLost) {
        opened++
        lose = onLost
        return await inner.openReplies!(onReply, onLost)
      },
    }
    await using bus = createBus({ transport, source: '/test' })
    let silent = true
    await bus.subscribe('s', [respond(Ask, ({ n }) => (silent ? new Promise<never>(() => {}) : { twice: 2 * n }))])
    const pending = bus.request(Ask, { n: 1 }, { timeoutMs: 10_000 })
    pending.catch(() => {})
    await vi.waitFor(() => expect(opened).toBe(1))
    await new Promise((resolve) => setImmediate(resolve))
    lose(new Error('connection gone'))
    await expect(pending).rejects.toMatchObject({ code: 'PUBLISH', fault: { scope: 'transport', mayExist: true } })
    silent = false
    expect(await bus.request(Ask, { n: 2 }, { timeoutMs: 10_000 })).toEqual({ twice: 4 })
    expect(opened).toBe(2)
    await bus.stop({ drainTimeoutMs: 1 })
  })
})

describe('a service', () => {
  it('reads from each carrier its definitions name, and says which there are where one names none', async () => {
    await using bus = createBus({ transport: route({ left: memory(), right: memory() }), source: '/test' })
    const Left = defineCommand('left', { schema: z.object({}), destination: { transport: 'left' } })
    const Right = defineEvent('right', { schema: z.object({}), destination: { transport: 'right' } })
    const seen: string[] = []
    await bus.subscribe('s', [on(Left, () => void seen.push('left')), on(Right, () => void seen.push('right'))])
    await bus.send(Left, {})
    await bus.publish(Right, {})
    await vi.waitFor(() => expect(seen.sort()).toEqual(['left', 'right']))
    await expect(bus.publish(Ping, { n: 1 })).rejects.toThrow(/destination "ping" names no transport.*left, right/)
  })

  it('is refused early where the carrier lacks what it needs', async () => {
    const refused = async (without: Parameters<typeof weaker>[1], ...routes: Parameters<typeof on>[0][]) => {
      await using bus = createBus({ transport: weaker(memory(), without), source: '/test' })
      return await bus
        .subscribe(
          's',
          routes.map((definition) => on(definition, () => {})),
        )
        .catch((error: { code: string }) => error.code)
    }
    const Once = defineEvent('once', { schema: z.object({}), delivery: 'at-most-once' })
    expect(await refused({ order: undefined }, Keyed)).toBe('UNSUPPORTED')
    expect(await refused({ ackBefore: undefined }, Once)).toBe('UNSUPPORTED')
    expect(await refused({ deadLetter: undefined }, Ping)).toBe('CONFIG')
    expect(await refused({ maxHoldMs: 1_000 }, Ping)).toBe('CONFIG')
  })

  it('is subscribed once, with each type once', async () => {
    const carrier = memory()
    await using bus = createBus({ transport: shared(carrier), source: '/test' })
    const routes = [on(Ping, () => {})]
    const both = await Promise.allSettled([bus.subscribe('s', routes), bus.subscribe('s', routes)])
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    await expect(bus.subscribe('t', [...routes, ...routes])).rejects.toThrow(/two routes for "ping"/)
    await bus.stop()
    // shared: still open for another
    await using other = createBus({ transport: carrier, source: '/test' })
    await other.subscribe('s', routes)
  })
})

async function listed(parked: { list(): AsyncIterable<ParkedMessage> }): Promise<readonly ParkedMessage[]> {
  const all: ParkedMessage[] = []
  for await (const item of parked.list()) all.push(item)
  return all
}
