import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createBus } from './create-bus.ts'
import { defineCommand, defineEvent } from './definition.ts'
import { on } from './handler.ts'
import { memory } from './memory/index.ts'
import { TokenBucket } from './rate-limit.ts'
import { manualTime } from './testing/manual-time.ts'

describe('a token bucket', () => {
  it('gives no more than its burst and its rate, and says exactly when there is one again', () => {
    const given = fc.record({
      perSecond: fc.double({ min: 0.1, max: 5_000, noNaN: true }),
      burst: fc.integer({ min: 1, max: 50 }),
      waits: fc.array(fc.integer({ min: 0, max: 2_000 }), { maxLength: 60 }),
    })
    fc.assert(
      fc.property(given, ({ perSecond, burst, waits }) => {
        let nowMs = 1_000
        const bucket = new TokenBucket({ perSecond, burst }, { nowMs: () => nowMs })
        let taken = 0
        for (const waitMs of waits) {
          nowMs += waitMs
          for (; bucket.waitMs() === 0; taken++) bucket.take(1)
          expect(taken).toBeLessThanOrEqual(burst + ((nowMs - 1_000) / 1_000) * perSecond + 1e-6)
          nowMs += bucket.waitMs()
          expect(bucket.waitMs()).toBe(0)
        }
      }),
    )
  })

  it('lets a batch take more than there are, and pays it back', () => {
    let nowMs = 0
    const bucket = new TokenBucket({ perSecond: 10, burst: 2 }, { nowMs: () => nowMs })
    bucket.take(12)
    expect(bucket.waitMs()).toBe(1_100)
    nowMs = 1_100
    expect(bucket.waitMs()).toBe(0)
  })

  it('stands still while the clock is set back', () => {
    let nowMs = 10_000
    const bucket = new TokenBucket({ perSecond: 1, burst: 1 }, { nowMs: () => nowMs })
    bucket.take(1)
    nowMs = 0
    expect(bucket.waitMs()).toBe(1_000)
    nowMs = 1_000
    expect(bucket.waitMs()).toBe(0)
  })
})

describe('a service with a rate limit', () => {
  const Keyed = defineEvent('keyed', {
    schema: z.object({ key: z.string(), n: z.number() }),
    orderingKey: ({ key }) => key,
  })
  const Other = defineCommand('other', { schema: z.object({}), delivery: 'at-most-once' })

  it('starts no more handlers than it says, retries among them, keeps keys in order, and sets one timer', async () => {
    const time = manualTime()
    const bus = createBus({ transport: memory({ ports: time.ports }), source: '/test', ports: time.ports })
    const starts: { readonly atMs: number; readonly what: string }[] = []
    let failures = 1
    const began = time.ports.clock.nowMs()
    const start = (what: string) => starts.push({ atMs: time.ports.clock.nowMs() - began, what })
    await bus.subscribe(
      's',
      [
        on(Keyed, ({ key, n }) => {
          start(`${key}${n}`)
          if (n === 1 && failures-- > 0) throw new Error('once')
        }),
        on(Other, () => void start('other')),
      ],
      { rateLimit: { perSecond: 10, burst: 3 }, concurrency: 5, retry: () => ({ retryInMs: 1 }) },
    )
    for (let n = 0; n < 20; n++) await bus.publish(Keyed, { key: 'ab'[n % 2]!, n: n >> 1 })
    await bus.send(Other, {})
    await time.settle()
    expect(starts).toHaveLength(3)
    const atRest = time.armed
    await time.settle()
    // one for each way of acking that waits, and the back-off of the message that failed
    expect(atRest).toBe(3)
    await time.advance(1_000)
    expect(starts).toHaveLength(13)
    await time.advance(5_000)
    expect(starts).toHaveLength(22)
    for (let from = 0; from < starts.length; from++) {
      const within = starts.filter(({ atMs }) => atMs >= starts[from]!.atMs && atMs < starts[from]!.atMs + 1_000)
      expect(within.length).toBeLessThanOrEqual(13)
    }
    for (const key of ['a', 'b']) {
      const seen = starts.filter(({ what }) => what.startsWith(key)).map(({ what }) => Number(what.slice(1)))
      expect(seen).toEqual([...seen].sort((one, other) => one - other))
    }
    await bus.stop()
    expect(time.armed).toBe(0)
  })

  it('is refused out of bounds', async () => {
    await using bus = createBus({ transport: memory(), source: '/test' })
    const refused = (rateLimit: { readonly perSecond: number; readonly burst?: number }) =>
      expect(bus.subscribe('s', [on(Keyed, () => {})], { rateLimit })).rejects.toThrow(
        /rateLimit\.(perSecond|burst) is/,
      )
    await refused({ perSecond: 0 })
    await refused({ perSecond: Number.NaN })
    await refused({ perSecond: 1, burst: 0.5 })
  })
})
