import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createBus } from './create-bus.ts'
import { defineCommand, defineRequest } from './definition.ts'
import { on, respond } from './handler.ts'
import { memory } from './memory/index.ts'
import { manualTime } from './testing/manual-time.ts'

const Ask = defineRequest('ask', { schema: z.object({ n: z.number() }), reply: z.object({ n: z.number() }) })
const Work = defineCommand('work', { schema: z.object({ n: z.number() }) })

function timedBus() {
  const time = manualTime()
  const bus = createBus({ transport: memory({ ports: time.ports }), source: '/test', ports: time.ports })
  const sleep = (ms: number) => new Promise<void>((resolve) => time.ports.timers.schedule(resolve, ms))
  return { time, bus, sleep }
}

const outcomes = (asked: readonly Promise<unknown>[]) =>
  Promise.all(
    asked.map((answer) =>
      answer.then(
        () => 'answered',
        (error: { remoteCode?: string; code: string }) => error.remoteCode ?? error.code,
      ),
    ),
  )

describe('a service with more requests than it can serve', () => {
  it('answers what is beyond its bound at once, with an error that may be tried again', async () => {
    const { time, bus, sleep } = timedBus()
    await bus.subscribe(
      's',
      [
        respond(Ask, async ({ n }) => {
          await sleep(100)
          return { n }
        }),
        on(Work, () => sleep(100)),
      ],
      { concurrency: 2, maxWaiting: 3 },
    )
    const asked = Array.from({ length: 10 }, (_, n) => bus.request(Ask, { n }, { timeoutMs: 60_000 }))
    const first = await Promise.race(asked.slice(5).map((answer) => answer.catch((error: unknown) => error)))
    expect(first).toMatchObject({ code: 'REMOTE', remoteCode: 'OVERLOAD', retryable: true })
    expect((first as Error).message).toMatch(/3 messages wait for a handler of "s"/)
    // nobody waits for the answer to a command: it is never shed
    await bus.send(Work, { n: 1 })
    await time.advance(1_000)
    expect(await outcomes(asked)).toEqual([...Array<string>(5).fill('answered'), ...Array<string>(5).fill('OVERLOAD')])
    expect(bus.stats).toMatchObject({ shedRequests: 5, expired: 0, deadLettered: 0 })
    await bus.stop()
  })

  it('sheds what can not be answered in time by what it knows of itself, and never for ever', async () => {
    const { time, bus, sleep } = timedBus()
    let handlerMs = 1_000
    await bus.subscribe(
      's',
      [
        respond(Ask, async ({ n }) => {
          await sleep(handlerMs)
          return { n }
        }),
      ],
      { concurrency: 1 },
    )
    // without experience nothing is shed
    const warmUp = bus.request(Ask, { n: 0 }, { timeoutMs: 5_000 })
    await time.advance(1_000)
    await warmUp
    const asked = Array.from({ length: 6 }, (_, n) => bus.request(Ask, { n }, { timeoutMs: 3_500 }))
    const ended = outcomes(asked)
    await time.advance(5_000)
    expect(await ended).toEqual(['answered', 'answered', 'answered', 'OVERLOAD', 'OVERLOAD', 'OVERLOAD'])
    // a slow day makes a long mean; with a handler free a request is tried all the same, and the mean recovers
    handlerMs = 10
    for (let n = 0; n < 30; n++) {
      const answer = bus.request(Ask, { n }, { timeoutMs: 100 })
      await time.advance(20)
      expect(await answer).toEqual({ n })
    }
    await bus.stop()
  })

  it('refuses a bound out of range', async () => {
    const { bus } = timedBus()
    await expect(bus.subscribe('s', [on(Work, () => {})], { maxWaiting: -1 })).rejects.toThrow(/maxWaiting is -1/)
    await bus.stop()
  })
})
