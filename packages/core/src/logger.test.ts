import { Writable } from 'node:stream'
import pino from 'pino'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { createBus } from './create-bus.ts'
import { defineEvent, defineRequest } from './definition.ts'
import { ConnectionError } from './errors.ts'
import { on, respond } from './handler.ts'
import { memory } from './memory/index.ts'
import type { ParkedStore } from './parked.ts'
import { retryPolicy } from './retry.ts'
import { manualTime } from './testing/manual-time.ts'

const SECRET = 'secret-4242'
const Booked = defineEvent('rental.booked', { schema: z.object({ card: z.string(), n: z.number() }) })
const Quote = defineRequest('pricing.quote', { schema: z.object({ card: z.string() }), reply: z.object({}) })
const Once = defineEvent('rental.seen', { schema: z.object({ card: z.string() }), delivery: 'at-most-once' })

const Counted = defineEvent('counted', { schema: z.object({ n: z.number() }) })

const LEVELS: Readonly<Record<number, string>> = { 20: 'debug', 30: 'info', 40: 'warn', 50: 'error' }

/** A real pino that writes into memory. */
function pinoInMemory() {
  const lines: Record<string, unknown>[] = []
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(JSON.parse(chunk.toString()) as Record<string, unknown>)
      done()
    },
  })
  return { lines, logger: pino({ level: 'trace' }, stream) }
}

it('says through pino what went wrong, at a level that fits, and never what a message holds', async () => {
  const time = manualTime()
  const { lines, logger } = pinoInMemory()
  const carrier = memory({ ports: time.ports })
  let refusals = 1
  const parked: ParkedStore = {
    ...carrier.parked!,
    park: (items) => items.map(async () => (refusals-- > 0 ? Promise.reject(new Error('disk full')) : undefined)),
  }
  await using bus = createBus({
    transport: carrier,
    source: '/test',
    ports: time.ports,
    logger,
    parked,
    retry: retryPolicy({ inProcess: { tries: 2, firstMs: 10 }, roundsMs: [] }),
  })
  let away = true
  await bus.subscribe('billing', [
    on(Booked, ({ n }, context) => {
      context.logger.info({ n }, 'from the handler')
      if (n === 1) throw new ConnectionError('database not reached')
      if (n === 2 && away) throw new ConnectionError('database not reached')
      if (n === 0) throw new TypeError('broken')
    }),
    on(Once, () => {
      throw new TypeError('broken once')
    }),
    respond(Quote, () => {
      throw new TypeError('broken responder')
    }),
  ])
  const headers = { authorization: SECRET }
  await bus.publish(Booked, { card: SECRET, n: 0 }, { headers })
  await time.advance(1_000)
  await bus.publish(Booked, { card: SECRET, n: 2 }, { headers })
  await time.settle()
  away = false
  await time.advance(60_000)
  await bus.publish(Once, { card: SECRET }, { headers })
  await expect(bus.request(Quote, { card: SECRET }, { timeoutMs: 1_000, headers })).rejects.toThrow()
  // what breaks the schema of the reader is named by its path alone
  const raw = { contentType: 'application/json', attributes: {}, headers, destination: Booked.destination }
  const body = new TextEncoder().encode(JSON.stringify({ card: 7, n: SECRET }))
  await Promise.all(carrier.publish([{ id: 'm-1', type: 'rental.booked', body, ...raw }]))
  const broken = new TextEncoder().encode(`{"card": "${SECRET}`)
  await Promise.all(carrier.publish([{ id: 'm-2', type: 'rental.booked', body: broken, ...raw }]))
  await Promise.all(carrier.publish([{ id: 'm-3', type: 'rental.other', body, ...raw }]))
  await time.advance(1_000)

  const said = new Map(lines.map(({ level, msg }) => [msg as string, LEVELS[level as number]]))
  expect(Object.fromEntries(said)).toEqual({
    'from the handler': 'info',
    'delivery ended': 'debug',
    'handler failed': 'warn',
    'message of an unknown type waits for who knows it': 'warn',
    'responder failed': 'warn',
    'message given up on': 'error',
    'message not parked, will try again': 'error',
    'the service stops, and probes': 'error',
    'what was stopped works again: the service goes on': 'info',
    'delivery failed': 'error',
  })
  for (const line of lines) expect(JSON.stringify(line)).not.toContain(SECRET)
  for (const line of lines)
    if (line.msg !== 'from the handler') expect(line).toMatchObject({ service: expect.any(String) })
})

it('a logger that throws stops no message, and fails none', async () => {
  let said = 0
  const full = (): never => {
    said++
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
  }
  await using bus = createBus({
    transport: memory(),
    source: '/test',
    retry: retryPolicy({ inProcess: { tries: 2, firstMs: 0 }, roundsMs: [] }),
    logger: { debug: full, info: full, warn: full, error: full },
  })
  const seen: number[] = []
  await bus.subscribe('s', [
    on(Counted, ({ n: number }, { logger }) => {
      logger.info({}, 'handling')
      if (number < 0) throw new Error('refused')
      seen.push(number)
    }),
  ])
  for (const number of [1, -1, 2]) await bus.publish(Counted, { n: number })
  await expect.poll(() => seen).toEqual([1, 2])
  await expect.poll(() => bus.stats.deadLettered).toBe(1)
  expect(said).toBeGreaterThan(3)
})
