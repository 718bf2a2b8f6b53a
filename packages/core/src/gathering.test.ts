import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { Bus, BusOptions } from './bus.ts'
import { createBus } from './create-bus.ts'
import { defineRequest } from './definition.ts'
import { ConnectionError, UnrecoverableError } from './errors.ts'
import { respond } from './handler.ts'
import { memory } from './memory/index.ts'
import { shared } from './shared.ts'
import { manualTime } from './testing/manual-time.ts'
import type { Transport } from './transport.ts'

const Free = defineRequest('branch.free', {
  schema: z.object({ bikes: z.number().int() }),
  reply: z.object({ free: z.number() }),
})
const ASKED = { bikes: 2 }

/** A bus over the memory transport, both on a clock that the test moves. */
function timedBus(options: Partial<BusOptions> = {}) {
  const time = manualTime()
  const transport = memory({ ports: time.ports })
  const bus = createBus({ transport, source: '/test', ports: time.ports, ...options })
  return { time, transport, bus }
}

/** Services that answer after so many milliseconds, fail, or never answer. */
async function branches(
  bus: Bus,
  time: ReturnType<typeof manualTime>,
  plan: Record<string, number | 'fails' | 'silent'>,
) {
  for (const [service, does] of Object.entries(plan)) {
    const answer = async () => {
      if (does === 'fails') throw new UnrecoverableError('closed today')
      await new Promise<void>((resolve) => {
        if (does !== 'silent') time.ports.timers.schedule(resolve, does)
      })
      return { free: service.length }
    }
    await bus.subscribe(service, [respond(Free, answer)])
  }
}

describe('a gathering', () => {
  it('ends when all that are named have answered, and keeps errors apart', async () => {
    const { time, bus } = timedBus()
    await branches(bus, time, { berlin: 20, paris: 10, rome: 'fails' })
    const gathering = bus.gather(Free, ASKED, { timeoutMs: 1_000, expect: ['berlin', 'paris', 'rome'] })
    await time.advance(20)
    const { replies, failures, missing, late } = await gathering
    expect(replies).toEqual([
      { service: 'paris', data: { free: 5 } },
      { service: 'berlin', data: { free: 6 } },
    ])
    expect(failures).toMatchObject([
      {
        service: 'rome',
        error: { code: 'REMOTE', remoteCode: 'UNRECOVERABLE', service: 'rome', message: 'closed today' },
      },
    ])
    expect([missing, late]).toEqual([[], 0])
    await bus.stop()
    expect(time.armed).toBe(0)
  })

  it('ends at its deadline with what there is, and names who is missing', async () => {
    const { time, bus } = timedBus()
    await branches(bus, time, { berlin: 20, paris: 10, rome: 'silent' })
    let ended = false
    const gathering = bus.gather(Free, ASKED, { timeoutMs: 1_000, expect: ['berlin', 'rome', 'oslo'] })
    void gathering.then(() => (ended = true))
    await time.advance(999)
    expect(ended).toBe(false)
    await time.advance(1)
    const { replies, missing } = await gathering
    expect(replies.map(({ service }) => service)).toEqual(['paris', 'berlin'])
    expect(missing).toEqual(['rome', 'oslo'])
    const stopping = bus.stop({ drainTimeoutMs: 0 })
    await time.advance(60_000)
    await stopping
  })

  it('ends with the last of a count, and counts who comes after it, however late', async () => {
    const { time, bus } = timedBus()
    await branches(bus, time, { a: 1, b: 2, c: 3, d: 4, e: 2_000 })
    const gathering = bus.gather(Free, ASKED, { timeoutMs: 1_000, expect: 3 })
    await time.advance(3)
    const result = await gathering
    expect(result).toMatchObject({ missing: 0, late: 0, failures: [] })
    expect(result.replies.map(({ service }) => service)).toEqual(['a', 'b', 'c'])
    await time.advance(1)
    expect(result.late).toBe(1)
    await time.advance(2_000)
    expect(result.late).toBe(2)
    expect(bus.stats.lateReplies).toBe(2)
    expect(result.replies).toHaveLength(3)
    await bus.stop()
  })

  it('without expectation takes all who answer before the deadline, or until it knows enough', async () => {
    const { time, bus } = timedBus()
    await branches(bus, time, { a: 1, bb: 2, ccc: 500, late: 1_001 })
    const all = bus.gather(Free, ASKED, { timeoutMs: 1_000 })
    await time.advance(1_000)
    expect(await all).toMatchObject({ replies: [{ service: 'a' }, { service: 'bb' }, { service: 'ccc' }], missing: 0 })
    const seen: number[] = []
    const until = bus.gather(Free, ASKED, {
      timeoutMs: 1_000,
      until: (replies) => {
        seen.push(replies.length)
        return replies.some(({ data }) => data.free === 2)
      },
    })
    await time.advance(2)
    expect((await until).replies).toHaveLength(2)
    expect(seen).toEqual([1, 2])
    await time.advance(2_000)
    await bus.stop()
  })

  it('that nobody hears is no error: all are missing', async () => {
    const { time, bus } = timedBus()
    const named = bus.gather(Free, ASKED, { timeoutMs: 100, expect: ['a', 'b'] })
    const counted = bus.gather(Free, ASKED, { timeoutMs: 100, expect: 4 })
    await time.advance(100)
    expect(await named).toMatchObject({ replies: [], failures: [], missing: ['a', 'b'], late: 0 })
    expect(await counted).toMatchObject({ missing: 4 })
    await bus.stop()
    expect(time.armed).toBe(0)
  })

  it('gives each answer as it comes, and ends with a break', async () => {
    const { time, bus } = timedBus()
    await branches(bus, time, { a: 1, b: 'fails', c: 3, d: 4 })
    const gathering = bus.gather(Free, ASKED, { timeoutMs: 1_000, expect: ['a', 'b', 'c', 'd'] })
    const heard: string[] = []
    const listening = (async () => {
      for await (const { service, error } of gathering) {
        heard.push(error === undefined ? service : `${service}!`)
        if (service === 'c') break
      }
    })()
    await time.advance(1)
    expect(heard).toEqual(['b!', 'a'])
    await time.advance(2)
    await listening
    expect(await gathering).toMatchObject({ replies: [{ service: 'a' }, { service: 'c' }], missing: ['d'] })
    await time.advance(1)
    expect(bus.stats.lateReplies).toBe(1)
    await bus.stop()
    expect(time.armed).toBe(0)
  })

  it('gives all that came to an iteration that starts after its end', async () => {
    const { time, bus } = timedBus()
    await branches(bus, time, { a: 1, b: 2 })
    const gathering = bus.gather(Free, ASKED, { timeoutMs: 1_000, expect: 2 })
    await time.advance(2)
    await gathering
    const heard: string[] = []
    for await (const { service } of gathering) heard.push(service)
    expect(heard).toEqual(['a', 'b'])
    await bus.stop()
  })

  it('is answered once by a service of several instances, and by each instance of a broadcast', async () => {
    const time = manualTime()
    const transport = memory({ ports: time.ports })
    const buses = [0, 1, 2].map(() => createBus({ transport: shared(transport), source: '/test', ports: time.ports }))
    let handled = 0
    for (const bus of buses) {
      await bus.subscribe('one', [respond(Free, () => ({ free: ++handled }))])
      await bus.subscribe('each', [respond(Free, () => ({ free: 0 }))], { broadcast: true })
    }
    const gathering = buses[0]!.gather(Free, ASKED, { timeoutMs: 100 })
    await time.advance(100)
    const names = (await gathering).replies.map(({ service }) => service.replace(/\.[^.]+$/, '.*')).sort()
    expect(names).toEqual(['each.*', 'each.*', 'each.*', 'one'])
    expect(handled).toBe(1)
    await Promise.all(buses.map((bus) => bus.stop()))
    await transport[Symbol.asyncDispose]()
  })

  it('is asked beside requests of the same definition, each by its own way', async () => {
    const { time, bus } = timedBus()
    await branches(bus, time, { a: 1, b: 1 })
    const request = bus.request(Free, ASKED, { timeoutMs: 100 })
    const gathering = bus.gather(Free, ASKED, { timeoutMs: 100, expect: 2 })
    await time.advance(1)
    expect(await request).toEqual({ free: 1 })
    expect((await gathering).replies).toHaveLength(2)
    await time.advance(100)
    // the request went to one of them
    expect(bus.stats.lateReplies).toBe(0)
    await bus.stop()
  })

  it('that waited too long is dropped by its responder, and counted', async () => {
    const { time, bus } = timedBus()
    let asked = 0
    const service = await bus.subscribe('slow', [respond(Free, () => ({ free: ++asked }))])
    service.pause()
    const gathering = bus.gather(Free, ASKED, { timeoutMs: 100, expect: ['slow'] })
    await time.advance(100)
    expect(await gathering).toMatchObject({ missing: ['slow'] })
    service.resume()
    await time.settle()
    expect([asked, bus.stats.expired]).toEqual([0, 1])
    await bus.stop()
  })

  it('takes no more answers than maxAnswers', async () => {
    const { time, bus } = timedBus({ limits: { maxAnswers: 2 } })
    await branches(bus, time, { a: 1, b: 1, c: 1 })
    expect(() => bus.gather(Free, ASKED, { timeoutMs: 100, expect: 3 })).toThrow(/maxAnswers \(2\)/)
    const gathering = bus.gather(Free, ASKED, { timeoutMs: 100 })
    await time.advance(1)
    expect((await gathering).replies).toHaveLength(2)
    expect(bus.stats.lateReplies).toBe(1)
    await bus.stop()
  })
})

describe('a gathering that can not go on', () => {
  it.each([
    ['no time', { timeoutMs: 0 }],
    ['endless time', { timeoutMs: Infinity }],
    ['a count of none', { timeoutMs: 1, expect: 0 }],
    ['half a count', { timeoutMs: 1, expect: 1.5 }],
    ['no names', { timeoutMs: 1, expect: [] }],
    ['a name twice', { timeoutMs: 1, expect: ['a', 'a'] }],
    ['an empty name', { timeoutMs: 1, expect: [''] }],
  ])('is refused at once: %s', async (_, options: { timeoutMs: number; expect?: number | string[] }) => {
    const { bus } = timedBus()
    expect(() => bus.gather(Free, ASKED, options)).toThrow(expect.objectContaining({ code: 'CONFIG' }))
    await bus.stop()
  })

  it('rejects what does not fit the schema, to who awaits and to who iterates', async () => {
    const { time, bus } = timedBus()
    const gathering = bus.gather(Free, { bikes: 1.5 }, { timeoutMs: 100 })
    await expect(gathering).rejects.toMatchObject({ code: 'VALIDATION' })
    await expect(listen(gathering)).rejects.toMatchObject({ code: 'VALIDATION' })
    await bus.stop()
    expect(time.armed).toBe(0)
  })

  it('ends with the reason of an abort, before and while it waits', async () => {
    const { time, bus } = timedBus()
    await branches(bus, time, { a: 1 })
    const aborting = new AbortController()
    const gathering = bus.gather(Free, ASKED, { timeoutMs: 100, signal: aborting.signal })
    const listening = listen(gathering)
    await time.advance(1)
    aborting.abort(new Error('enough'))
    await expect(gathering).rejects.toThrow('enough')
    // what had come is given first
    await expect(listening).rejects.toThrow('enough')
    await expect(bus.gather(Free, ASKED, { timeoutMs: 100, signal: aborting.signal })).rejects.toThrow('enough')
    expect(time.armed).toBe(0)
    await bus.stop()
  })

  it('ends typed when the bus stops, and on a stopped one', async () => {
    const { time, bus } = timedBus()
    const gathering = bus.gather(Free, ASKED, { timeoutMs: 100 })
    await time.settle()
    await bus.stop()
    await expect(gathering).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(bus.gather(Free, ASKED, { timeoutMs: 100 })).rejects.toMatchObject({ code: 'CLOSED' })
    expect(time.armed).toBe(0)
  })

  it('ends typed when the reply address is lost, and the next one opens it anew', async () => {
    const time = manualTime()
    let lose!: (reason: Error) => void
    let opened = 0
    const inner = memory({ ports: time.ports })
    const transport: Transport = {
      ...bound(inner),
      openReplies: (onReply, onLost) => {
        lose = onLost
        opened++
        return inner.openReplies!(onReply, onLost)
      },
    }
    const bus = createBus({ transport, source: '/test', ports: time.ports })
    await branches(bus, time, { a: 1 })
    const gathering = bus.gather(Free, ASKED, { timeoutMs: 100 })
    await time.settle()
    lose(new ConnectionError('gone'))
    await expect(gathering).rejects.toMatchObject({ code: 'PUBLISH', fault: { scope: 'transport', mayExist: true } })
    const next = bus.gather(Free, ASKED, { timeoutMs: 100, expect: 1 })
    await time.advance(1)
    expect((await next).replies).toHaveLength(1)
    expect(opened).toBe(2)
    await bus.stop()
    expect(time.armed).toBe(0)
  })

  it('says so when the question did not get out, and when it did not get out in time', async () => {
    const time = manualTime()
    let publish: () => Promise<void> = () => Promise.reject(new ConnectionError('broker away'))
    const inner = memory({ ports: time.ports })
    const transport: Transport = {
      ...bound(inner),
      publish: () => [publish()],
    }
    const bus = createBus({ transport, source: '/test', ports: time.ports })
    await expect(bus.gather(Free, ASKED, { timeoutMs: 100 })).rejects.toMatchObject({ code: 'CONNECTION' })
    publish = () => new Promise(() => {})
    const gathering = bus.gather(Free, ASKED, { timeoutMs: 100 })
    const failed = expect(gathering).rejects.toMatchObject({ code: 'TIMEOUT' })
    await time.advance(100)
    await failed
    expect(time.armed).toBe(0)
  })

  it('is refused when too many wait already', async () => {
    const { time, bus } = timedBus({ limits: { maxPendingRequests: 1 } })
    const first = bus.gather(Free, ASKED, { timeoutMs: 100 })
    await expect(bus.gather(Free, ASKED, { timeoutMs: 100 })).rejects.toMatchObject({ code: 'OVERLOAD' })
    await time.advance(100)
    await first
    await bus.stop()
  })

  it('rejects with what `until` threw', async () => {
    const { time, bus } = timedBus()
    await branches(bus, time, { a: 1 })
    const gathering = bus.gather(Free, ASKED, {
      timeoutMs: 100,
      until: () => {
        throw new Error('my mistake')
      },
    })
    const failed = expect(gathering).rejects.toThrow('my mistake')
    await time.advance(1)
    await failed
    await bus.stop()
    expect(time.armed).toBe(0)
  })
})

async function listen(gathering: AsyncIterable<unknown>): Promise<unknown[]> {
  const heard: unknown[] = []
  for await (const answer of gathering) heard.push(answer)
  return heard
}

/** The methods of a transport that has private state. */
function bound(transport: Transport): Transport {
  return {
    name: transport.name,
    capabilities: transport.capabilities,
    publish: (messages, options) => transport.publish(messages, options),
    subscribe: (options, deliver) => transport.subscribe(options, deliver),
    declare: (topology) => transport.declare!(topology),
    openReplies: (onReply, onLost) => transport.openReplies!(onReply, onLost),
    health: () => transport.health(),
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  }
}
