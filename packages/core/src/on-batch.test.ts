import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createBus } from './create-bus.ts'
import { defineCommand, defineEvent } from './definition.ts'
import { ConnectionError } from './errors.ts'
import { on, type Context } from './handler.ts'
import { memory } from './memory/index.ts'
import { onBatch } from './on-batch.ts'
import { manualTime } from './testing/manual-time.ts'

const Plain = defineCommand('plain', { schema: z.object({ n: z.number() }) })
const Once = defineCommand('once', { schema: z.object({ n: z.number() }), delivery: 'at-most-once' })
const Loose = defineCommand('plain', { schema: z.object({ n: z.unknown() }) })
const keyed = {
  schema: z.object({ key: z.string(), n: z.number() }),
  orderingKey: ({ key }: { readonly key: string }) => key,
}
const Keyed = defineEvent('keyed', keyed)
const Single = defineEvent('single', keyed)

function timedBus() {
  const time = manualTime()
  const transport = memory({ ports: time.ports })
  const bus = createBus({ transport, source: '/test', ports: time.ports })
  return { time, transport, bus }
}

const numbers = (datas: readonly { readonly n: number }[]) => datas.map(({ n }) => n)
const sorted = (all: readonly number[]) => [...all].sort((one, other) => one - other)
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n)

describe('a batch', () => {
  it('is as large as it may be, or as what came in its time; it takes one place, and one timer', async () => {
    const { time, bus } = timedBus()
    const batches: number[][] = []
    const contexts: Context[] = []
    let running = 0
    let most = 0
    await bus.subscribe(
      's',
      [
        onBatch(
          Plain,
          async (datas, given) => {
            most = Math.max(most, ++running)
            batches.push(numbers(datas))
            contexts.push(...given)
            await Promise.resolve()
            running--
          },
          { size: 10, waitMs: 50 },
        ),
      ],
      { concurrency: 2 },
    )
    const timers = time.armed
    for (let n = 0; n < 34; n++) await bus.send(Plain, { n })
    await time.settle()
    expect(batches.map(({ length }) => length)).toEqual([10, 10, 10])
    expect(time.armed).toBe(timers + 1)
    await time.advance(49)
    expect(batches).toHaveLength(3)
    await time.advance(1)
    expect(batches.map(({ length }) => length)).toEqual([10, 10, 10, 4])
    expect(batches.flat()).toEqual(upTo(34))
    expect(most).toBeLessThanOrEqual(2)
    expect(contexts[33]).toMatchObject({ service: 's', attempt: 1, message: { type: 'plain' } })
    await bus.stop()
    expect(time.armed).toBe(0)
  })

  it('runs beside others in each place of the service', async () => {
    const { time, bus } = timedBus()
    const sizes: number[] = []
    let release = () => {}
    const hold = new Promise<void>((resolve) => (release = resolve))
    await bus.subscribe(
      's',
      [
        onBatch(Plain, (datas) => {
          sizes.push(datas.length)
          return hold
        }),
      ],
      { concurrency: 4 },
    )
    const sent = Array.from({ length: 300 }, (_, n) => bus.send(Plain, { n }))
    await time.settle()
    expect(sizes).toEqual([50, 50, 50, 50])
    release()
    await Promise.all(sent)
    await bus.stop()
  })

  it('that fails is handled message by message, so that one poison alone pays for itself', async () => {
    const { time, bus } = timedBus()
    const handled: number[] = []
    const calls: number[][] = []
    await bus.subscribe('s', [
      onBatch(
        Plain,
        (datas) => {
          calls.push(numbers(datas))
          if (numbers(datas).includes(3)) throw new Error('poison')
          handled.push(...numbers(datas))
        },
        { size: 6, waitMs: 5 },
      ),
    ])
    for (let n = 0; n < 12; n++) await bus.send(Plain, { n })
    await time.settle()
    expect(sorted(handled)).toEqual(upTo(12).filter((n) => n !== 3))
    expect(calls.filter(({ length }) => length > 1).map(({ length }) => length)).toEqual([6, 6])
    await time.advance(700_000)
    expect(bus.stats.deadLettered).toBe(1)
    const parked: unknown[] = []
    for await (const { reason } of bus.parked.list()) parked.push(reason)
    expect(parked).toEqual(['Error: poison'])
    expect(handled).toHaveLength(11)
    await bus.stop()
    expect(time.armed).toBe(0)
  })

  it('may settle each message by itself, and refuses a list that does not fit', async () => {
    const { time, bus } = timedBus()
    let wrong = false
    await bus.subscribe(
      's',
      [
        onBatch(
          Plain,
          (datas) => {
            if (wrong) return datas.length === 1 ? [] : undefined
            return numbers(datas).map((n) => (n === 1 ? { outcome: 'deadLetter' as const, notes: {} } : undefined))
          },
          { size: 3 },
        ),
      ],
      { retry: (error) => ({ deadLetter: String(error) }) },
    )
    for (let n = 0; n < 3; n++) await bus.send(Plain, { n })
    await time.settle()
    const list = async () => {
      const all: unknown[] = []
      for await (const { reason, message } of bus.parked.list())
        all.push([reason, new TextDecoder().decode(message.body!)])
      return all
    }
    expect(await list()).toEqual([['', '{"n":1}']])
    wrong = true
    await bus.send(Plain, { n: 7 })
    await time.advance(20)
    expect((await list())[1]).toEqual([
      'TypeError: a batch of 1 messages got 0 settlements: return one for each',
      '{"n":7}',
    ])
    await bus.stop()
  })

  it('leaves out what can not be read, which goes to the dead letters at once', async () => {
    const { time, bus } = timedBus()
    const batches: number[][] = []
    await bus.subscribe('s', [onBatch(Plain, (datas) => void batches.push(numbers(datas)), { size: 5 })])
    for (const n of [0, 1, 'x', 3, 4]) await bus.send(Loose, { n })
    await time.settle()
    expect(batches).toEqual([[0, 1, 3, 4]])
    expect(bus.stats.deadLettered).toBe(1)
    await bus.stop()
  })

  it('holds several of a key in order, and keeps their order through failures and beside other types', async () => {
    const { time, bus } = timedBus()
    const seen: string[] = []
    const inHand = new Set<string>()
    let failures = 3
    const enter = (keys: readonly string[]) => {
      for (const key of new Set(keys)) {
        expect(inHand.has(key)).toBe(false)
        inHand.add(key)
      }
    }
    await bus.subscribe(
      's',
      [
        onBatch(
          Keyed,
          async (datas) => {
            const keys = datas.map(({ key }) => key)
            enter(keys)
            await Promise.resolve()
            for (const key of keys) inHand.delete(key)
            // the batch as a whole, then the message alone, twice
            if (datas.some(({ key, n }) => key === 'a' && n === 4) && failures-- > 0) throw new Error('not yet')
            for (const { key, n } of datas) seen.push(`${key}${n}`)
          },
          { size: 8, waitMs: 10 },
        ),
        on(Single, async ({ key, n }) => {
          enter([key])
          await Promise.resolve()
          inHand.delete(key)
          seen.push(`${key}${n}`)
        }),
      ],
      { concurrency: 4 },
    )
    for (let n = 0; n < 30; n++) {
      for (const key of ['a', 'b', 'c']) await bus.publish(n % 7 === 3 ? Single : Keyed, { key, n })
    }
    await time.advance(30_000)
    expect(failures).toBeLessThanOrEqual(0)
    for (const key of ['a', 'b', 'c']) {
      expect(seen.filter((each) => each.startsWith(key))).toEqual(upTo(30).map((n) => `${key}${n}`))
    }
    expect(bus.stats).toMatchObject({ deadLettered: 0, defects: 0 })
    await bus.stop()
    expect(time.armed).toBe(0)
  })

  it('stops the line as one when a dependency is away, and loses neither message nor order', async () => {
    const { time, bus } = timedBus()
    let away = true
    let calls = 0
    const seen: number[] = []
    await bus.subscribe('s', [
      onBatch(
        Keyed,
        (datas) => {
          calls++
          if (away) throw new ConnectionError('database away')
          seen.push(...numbers(datas))
        },
        { size: 20 },
      ),
    ])
    for (let n = 0; n < 60; n++) await bus.publish(Keyed, { key: String(n % 3), n })
    await time.advance(60_000)
    // one call, then one for each probe: never one for each message
    expect(calls).toBeLessThan(12)
    away = false
    await time.advance(60_000)
    expect(sorted(seen)).toEqual(upTo(60))
    for (let key = 0; key < 3; key++)
      expect(seen.filter((n) => n % 3 === key)).toEqual(upTo(60).filter((n) => n % 3 === key))
    await bus.stop()
    expect(time.armed).toBe(0)
  })

  it('gives back what waits when the service pauses or stops, and loses what fails where it is to be handled at most once', async () => {
    const { time, bus, transport } = timedBus()
    const seen: number[] = []
    const service = await bus.subscribe('s', [
      onBatch(Plain, (datas) => void seen.push(...numbers(datas)), { size: 5, waitMs: 1_000 }),
      onBatch(Once, () => Promise.reject(new Error('lost')), { size: 2 }),
    ])
    for (let n = 0; n < 3; n++) await bus.send(Plain, { n })
    await time.settle()
    service.pause()
    await time.advance(5_000)
    expect(seen).toEqual([])
    service.resume()
    await time.advance(1_000)
    expect(sorted(seen)).toEqual([0, 1, 2])
    for (let n = 0; n < 2; n++) await bus.send(Once, { n })
    await time.settle()
    expect(bus.stats.defects).toBe(2)
    await bus.send(Plain, { n: 3 })
    await time.settle()
    await bus.stop()
    expect(seen).toHaveLength(3)
    expect((await transport.health()).find(({ part }) => part.endsWith(' s'))).toMatchObject({ lag: 1 })
    expect(time.armed).toBe(0)
  })

  it('that is not done in its time fails, and its signals abort', async () => {
    const { time, bus } = timedBus()
    const aborted: number[] = []
    let slow = true
    const seen: number[] = []
    await bus.subscribe(
      's',
      [
        onBatch(
          Plain,
          async (datas, contexts) => {
            if (!slow) return void seen.push(...numbers(datas))
            slow = false
            await new Promise<void>((resolve) => contexts[0]!.signal.addEventListener('abort', () => resolve()))
            aborted.push(contexts.filter(({ signal }) => signal.aborted).length)
          },
          { size: 4 },
        ),
      ],
      { handlerTimeoutMs: 500 },
    )
    for (let n = 0; n < 4; n++) await bus.send(Plain, { n })
    await time.advance(600)
    expect(aborted).toEqual([4])
    expect(sorted(seen)).toEqual(upTo(4))
    await bus.stop()
  })

  it('refuses bounds out of range', () => {
    expect(() => onBatch(Plain, () => {}, { size: 0 })).toThrow(/size of a batch of "plain" is 0/)
    expect(() => onBatch(Plain, () => {}, { waitMs: Infinity })).toThrow(/waitMs of a batch of "plain"/)
  })
})
