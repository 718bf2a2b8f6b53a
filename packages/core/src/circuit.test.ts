import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { resolveCircuit } from './circuit.ts'
import { createBus } from './create-bus.ts'
import { defineCommand, defineEvent } from './definition.ts'
import { on } from './handler.ts'
import { memory } from './memory/index.ts'
import { manualTime } from './testing/manual-time.ts'

const Plain = defineCommand('plain', { schema: z.object({ n: z.number() }) })
const Keyed = defineEvent('keyed', {
  schema: z.object({ key: z.string(), n: z.number() }),
  orderingKey: ({ key }) => key,
})

function timedBus() {
  const time = manualTime()
  const transport = memory({ ports: time.ports })
  const bus = createBus({ transport, source: '/test', ports: time.ports })
  const healthOf = async () => (await bus.health()).find(({ part }) => part === 'service s')
  return { time, transport, bus, healthOf }
}

describe('a circuit', () => {
  it('is off for ordinary failures unless it is told how many are too many', async () => {
    const { time, bus, healthOf } = timedBus()
    await bus.subscribe('s', [on(Plain, () => Promise.reject(new Error('no')))], {
      retry: () => ({ deadLetter: 'no' }),
    })
    for (let n = 0; n < 50; n++) await bus.send(Plain, { n })
    await time.settle()
    expect(bus.stats.deadLettered).toBe(50)
    expect(await healthOf()).toMatchObject({ state: 'up' })
    await bus.stop()
  })

  it('opens after a run of failures, holds nothing open, probes with one, and closes when one works', async () => {
    const { time, transport, bus, healthOf } = timedBus()
    let broken = true
    let running = 0
    let most = 0
    let tries = 0
    const seen: number[] = []
    await bus.subscribe(
      's',
      [
        on(Plain, async ({ n }) => {
          tries++
          most = Math.max(most, ++running)
          await Promise.resolve()
          running--
          if (broken) throw new Error('upstream answers 503')
          seen.push(n)
        }),
      ],
      { circuit: { failures: 4, windowMs: 10_000 }, concurrency: 3 },
    )
    const openedMs = time.ports.clock.nowMs()
    for (let n = 0; n < 20; n++) await bus.send(Plain, { n })
    await time.advance(200)
    const atOpening = tries
    expect(atOpening).toBeLessThanOrEqual(6)
    expect(await healthOf()).toMatchObject({
      state: 'degraded',
      reason: expect.stringMatching(/circuit open after 4 failures in a row, the last: Error: upstream/) as string,
    })
    expect((await healthOf())!.sinceMs - openedMs).toBeLessThanOrEqual(200)
    // all of them are the carrier's again: nothing waits or runs here
    expect((await transport.health()).find(({ part }) => part.endsWith(' s'))).toMatchObject({ lag: 20 })
    most = 0
    await time.advance(60_000)
    expect(most).toBe(1)
    // probes after about 1, 2, 4, 8, 16, 30 s
    expect(tries - atOpening).toBeLessThanOrEqual(7)
    expect(bus.stats.deadLettered).toBe(0)
    broken = false
    await time.advance(120_000)
    expect([...seen].sort((one, other) => one - other)).toEqual(Array.from({ length: 20 }, (_, n) => n))
    expect(await healthOf()).toMatchObject({ state: 'up' })
    await bus.stop()
    expect(time.armed).toBe(0)
  })

  it('stays closed while failures are apart, or others work between them', async () => {
    const { time, bus, healthOf } = timedBus()
    await bus.subscribe('s', [on(Plain, ({ n }) => (n % 2 === 0 ? undefined : Promise.reject(new Error('odd'))))], {
      circuit: { failures: 3, windowMs: 1_000 },
      concurrency: 1,
      retry: () => ({ deadLetter: 'odd' }),
    })
    for (let n = 0; n < 20; n++) await bus.send(Plain, { n })
    await time.settle()
    expect(bus.stats.deadLettered).toBe(10)
    await bus.send(Plain, { n: 0 })
    for (let count = 0; count < 6; count++) {
      await bus.send(Plain, { n: 1 })
      await time.advance(900)
    }
    expect(bus.stats.deadLettered).toBe(16)
    expect(await healthOf()).toMatchObject({ state: 'up' })
    await bus.stop()
  })

  it.each([
    ['keyed, in order', Keyed],
    ['unkeyed', Plain],
  ] as const)('is not held open for ever by one message that always fails, %s', async (_, definition) => {
    const { time, bus, healthOf } = timedBus()
    const seen: number[] = []
    let failures = 0
    const handler = ({ n }: { readonly n: number }) => {
      if (n === 0) {
        failures++
        throw new Error('poison')
      }
      seen.push(n)
    }
    await bus.subscribe('s', [on(definition as typeof Keyed, handler)], { circuit: { failures: 1 }, concurrency: 1 })
    for (let n = 0; n < 5; n++) {
      if (definition === Keyed) await bus.publish(Keyed, { key: 'k', n })
      else await bus.send(Plain, { n })
    }
    await time.advance(1_500_000)
    expect(seen).toEqual([1, 2, 3, 4])
    // what it had was not forgotten when it was given back
    expect(failures).toBe(definition === Keyed ? 3 : 12)
    expect(bus.stats.deadLettered).toBe(1)
    await bus.send(Plain, { n: 9 }).catch(() => {})
    await time.advance(60_000)
    expect(await healthOf()).toMatchObject({ state: 'up' })
    await bus.stop()
  })

  it('refuses bounds that make no sense', () => {
    expect(() => resolveCircuit({ failures: 0 })).toThrow(/circuit\.failures is 0/)
    expect(() => resolveCircuit({ windowMs: Number.NaN })).toThrow(/circuit\.windowMs/)
    expect(() => resolveCircuit({ firstProbeMs: 60_000 })).toThrow(/at most maxProbeMs/)
    expect(resolveCircuit({ failures: undefined })).toMatchObject({ failures: Infinity })
  })
})
