import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createBus } from '../create-bus.ts'
import { defineCommand, defineRequest } from '../definition.ts'
import { UnrecoverableError } from '../errors.ts'
import { on, respond } from '../handler.ts'
import type { Logger } from '../logger.ts'
import { memory } from '../memory/index.ts'
import { manualTime } from '../testing/manual-time.ts'
import type { Middleware } from './middleware.ts'

const Book = defineCommand('book', { schema: z.object({ days: z.coerce.number() }) })
const Ask = defineRequest('ask', { schema: z.object({ n: z.number() }), reply: z.object({ n: z.number() }) })

function setUp(middleware: { readonly bus?: readonly Middleware[]; readonly service?: readonly Middleware[] }) {
  const time = manualTime()
  const lines: { readonly text: string; readonly fields: Record<string, unknown> }[] = []
  const write = (fields: object, text: string) => void lines.push({ text, fields: { ...fields } })
  const logger: Logger = { debug: write, info: write, warn: write, error: write }
  const bus = createBus({
    transport: memory({ ports: time.ports }),
    source: '/test',
    ports: time.ports,
    logger,
    middleware: middleware.bus,
  })
  return { time, bus, lines, options: { middleware: middleware.service } }
}

const named =
  (name: string, seen: string[]): Middleware =>
  async ({ message, data, attempt, service, definition }, next) => {
    seen.push(`${name} ${service} ${message.type} ${definition.kind} ${JSON.stringify(data)} ${attempt}`)
    const { outcome } = await next()
    seen.push(`${name} ${outcome}`)
    return { outcome: 'ack' }
  }

describe('middleware', () => {
  it("goes around each try, the bus's outside of the service's, with the data as the handler gets it", async () => {
    const seen: string[] = []
    const { time, bus, options, lines } = setUp({ bus: [named('bus', seen)], service: [named('service', seen)] })
    let failures = 1
    await bus.subscribe(
      's',
      [
        on(Book, () => {
          seen.push('handler')
          if (failures-- > 0) throw new Error('once')
        }),
      ],
      options,
    )
    await bus.send(Book, { days: '3' })
    await time.advance(5_000)
    const way = (attempt: number) => [
      `bus s book command {"days":3} ${attempt}`,
      `service s book command {"days":3} ${attempt}`,
      'handler',
    ]
    expect(seen).toEqual([...way(1), ...way(2), 'service ack', 'bus ack'])
    expect(lines.filter(({ text }) => text === 'delivery ended')).toMatchObject([
      { fields: { service: 's', type: 'book', outcome: 'ack', failures: 1 } },
    ])
    await bus.stop()
  })

  it('may settle in place of the handler, or fail like one', async () => {
    const given = [
      () => Promise.reject(new UnrecoverableError('not for us')),
      async () => ({ outcome: 'ack' as const }),
      (async () => undefined) as unknown as Middleware,
      (async (_, next) => {
        await next()
        return next()
      }) as Middleware,
    ]
    let handled = 0
    const { time, bus, options } = setUp({ service: [(delivery, next) => given[handledBy++]!(delivery, next)] })
    let handledBy = 0
    await bus.subscribe('s', [on(Book, () => void handled++)], {
      ...options,
      retry: (error) => ({ deadLetter: String(error) }),
    })
    for (let count = 0; count < given.length; count++) {
      await bus.send(Book, { days: '3' })
      await time.settle()
    }
    const reasons: string[] = []
    for await (const { reason } of bus.parked.list()) reasons.push(reason)
    expect(reasons).toEqual([
      'UnrecoverableError: not for us',
      'TypeError: a middleware returned no settlement: return what next() gives, or one of your own',
      'Error: a middleware called next twice: call it once a try',
    ])
    expect(handled).toBe(1)
    await bus.stop()
  })

  it('refuses a request by throwing, and sees what its responder throws', async () => {
    const thrown: string[] = []
    const { bus, options } = setUp({
      service: [
        async ({ data }, next) => {
          if ((data as { n: number }).n === 0) throw Object.assign(new Error('not you'), { code: 'FORBIDDEN' })
          return await next().catch((error: Error) => {
            thrown.push(error.message)
            throw error
          })
        },
      ],
    })
    await bus.subscribe(
      's',
      [
        respond(Ask, ({ n }) => {
          if (n === 1) throw new Error('not that')
          return { n }
        }),
      ],
      options,
    )
    const ask = (n: number) => bus.request(Ask, { n }, { timeoutMs: 1_000 })
    await expect(ask(0)).rejects.toMatchObject({ code: 'REMOTE', remoteCode: 'FORBIDDEN' })
    await expect(ask(1)).rejects.toMatchObject({ code: 'REMOTE', message: 'not that' })
    expect(await ask(2)).toEqual({ n: 2 })
    expect(thrown).toEqual(['not that'])
    await bus.stop()
  })

  it('counts into the time limit of the try, whose signal it sees', async () => {
    let reason: unknown
    const { time, bus, options } = setUp({
      service: [
        ({ signal }) =>
          new Promise((_, reject) => {
            signal.addEventListener('abort', () => {
              reason = signal.reason
              reject(signal.reason as Error)
            })
          }),
      ],
    })
    await bus.subscribe('s', [on(Book, () => {})], {
      ...options,
      handlerTimeoutMs: 500,
      retry: () => ({ deadLetter: 'slow' }),
    })
    await bus.send(Book, { days: '1' })
    await time.advance(500)
    expect(reason).toMatchObject({ code: 'TIMEOUT' })
    expect(bus.stats.deadLettered).toBe(1)
    await bus.stop()
    expect(time.armed).toBe(0)
  })

  it('is refused early when it is no list of functions', async () => {
    expect(() => setUp({ bus: ['log'] as never })).toThrow(/middleware is not a list of functions/)
    const { bus } = setUp({})
    await expect(bus.subscribe('s', [on(Book, () => {})], { middleware: {} as never })).rejects.toMatchObject({
      code: 'CONFIG',
    })
    await bus.stop()
  })
})
