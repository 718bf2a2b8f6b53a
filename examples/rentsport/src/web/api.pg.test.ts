import { silentLogger } from '@waybill/core'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { rentSportDatabase } from '../database/test-database.ts'
import { createPayment } from '../payments/store.ts'
import { priceOf } from '../rentals/price.ts'
import { createApp } from './app.ts'

let at: Awaited<ReturnType<typeof rentSportDatabase>>
let app: ReturnType<typeof createApp>
beforeAll(async () => {
  at = await rentSportDatabase()
  app = createApp({
    database: at,
    outbox: at.outbox,
    logger: silentLogger,
    payments: {
      async register(trx, { payment_id, id, user_id, amount_minor, currency }, payment_method) {
        const order = { payment_id, rental_id: id, user_id: String(user_id), amount_minor, currency, payment_method }
        await createPayment(trx, order, 10_000)
      },
      start: () => undefined,
      watch: () => Promise.resolve(undefined),
      charges: () => Promise.resolve([]),
    },
    quote: (_, days) => Promise.resolve(priceOf({ price_per_day_minor: 100, currency: 'RUB' }, days)),
    availability: () => Promise.resolve({ branches: [{ owner_id: 101, units_free: 3 }], unknown: [102] }),
    async *parked() {},
    health: () => [{ part: 'database', state: 'down', sinceMs: 0, reason: 'gone' }],
    pageFolder: '/nowhere',
    pids: () => ({ backend: 1, gateway: undefined, notifications: 2, reports: undefined }),
  })
})
afterAll(() => at[Symbol.asyncDispose]())

const order = { equipment_id: 1, user_id: 1, days: 2, payment_method: 'card:4242424242424242' }
const post = (body: unknown, headers: Record<string, string> = { 'content-type': 'application/json' }) =>
  app.request('/api/rentals', { method: 'POST', headers, body: typeof body === 'string' ? body : JSON.stringify(body) })

test('a rental answers 201 with what it costs, in whole minor units', async () => {
  const answer = await post(order)
  expect(answer.status).toBe(201)
  expect(await answer.json()).toMatchObject({ amount_minor: 180_000, currency: 'RUB', status: 'PENDING_PAYMENT' })
})

const nonsense: [string, unknown, Record<string, string>?][] = [
  ['broken JSON', '{"equipment_id":'],
  ['no body', ''],
  ['an array', []],
  ['null', 'null'],
  ['another content type', 'equipment_id=1', { 'content-type': 'text/plain' }],
  ['no content type', '{}', {}],
  ['text for a number', { ...order, days: '2' }],
  ['part of a day', { ...order, days: 1.5 }],
  ['no days', { ...order, days: 0 }],
  ['days below nothing', { ...order, days: -1 }],
  ['too many days', { ...order, days: 1e9 }],
  ['an id beyond whole numbers', { ...order, equipment_id: 1e300 }],
  ['an id beyond the column', { ...order, user_id: 3_000_000_000 }],
  ['unknown equipment', { ...order, equipment_id: 4_242 }],
  ['an unknown user', { ...order, user_id: 4_242 }],
  ['an unknown way to pay', { ...order, payment_method: 'bitcoin:1' }],
  ['a card number with letters', { ...order, payment_method: 'card:4242x' }],
  ['a NUL in the account', { ...order, payment_method: 'paypal:a\0b' }],
  ['a huge body', { ...order, payment_method: `paypal:${'x'.repeat(100_000)}` }],
  ['an array for a number', { ...order, user_id: [1] }],
]

test.each(nonsense)('%s is a typed refusal, and nothing is written', async (_, body, headers) => {
  const count = async () =>
    (
      await sql<{ n: string }>`select (select count(*) from rentsport.rental) || '/' || (select count(*)
      from rentsport.payment) || '/' || (select count(*) from waybill.outbox) as n`.execute(at.db)
    ).rows[0]!.n
  const before = await count()
  const answer = await post(body, headers)
  expect(answer.status).toBeGreaterThanOrEqual(400)
  expect(answer.status).toBeLessThan(500)
  expect(await answer.json()).toMatchObject({
    code: expect.stringMatching(/^[A-Z_]+$/) as string,
    message: expect.any(String) as string,
  })
  expect(await count()).toBe(before)
})

test.each([
  '/api/rentals',
  '/api/rentals?user_id=',
  '/api/rentals?user_id=1e3',
  '/api/rentals?user_id=1&user_id=2x',
  '/api/rentals/abc',
  '/api/rentals/99999999999999999999',
  '/api/rentals/4242',
  '/api/rentals/%E0%A4%A',
  '/api/notifications?user_id=-1',
  '/api/charges',
  `/api/charges?payment_id=${'x'.repeat(300)}`,
  '/api/charges?payment_id=%00',
  '/api/payments/unknown/events',
  '/api/payments/%00/events',
  '/api/quote?equipment_id=1&days=0',
  '/api/availability',
  `/api/availability?category=${'x'.repeat(60)}`,
  '/api/nothing',
  '/page/..%2f..%2fpackage.json',
])('GET %s is a typed refusal', async (path) => {
  const answer = await app.request(path)
  expect([400, 404, 422]).toContain(answer.status)
  expect(await answer.json()).toMatchObject({
    code: expect.any(String) as string,
    message: expect.any(String) as string,
  })
})

test('health says which part fails, why and since when', async () => {
  const answer = await app.request('/health')
  expect(answer.status).toBe(503)
  expect(await answer.json()).toMatchObject({
    status: 'down',
    parts: [{ part: 'database', state: 'down', reason: 'gone', since: '1970-01-01T00:00:00.000Z' }],
    pids: { backend: 1, gateway: null, notifications: 2, reports: null },
  })
})

test('the description of the API holds every route', async () => {
  const { paths } = (await (await app.request('/openapi.json')).json()) as { paths: object }
  expect(Object.keys(paths).sort()).toEqual([
    '/api/availability',
    '/api/charges',
    '/api/equipment',
    '/api/equipment/{id}/maintenance',
    '/api/notifications',
    '/api/parked',
    '/api/payments/{id}/events',
    '/api/quote',
    '/api/rentals',
    '/api/rentals/{id}',
    '/api/rentals/{id}/return',
    '/api/report',
    '/api/users',
    '/health',
  ])
})

test('the documents of the messages can be fetched', async () => {
  const titles = ['/asyncapi.json', '/asyncapi/rentsport.json'].map(async (path) => {
    const answer = await app.request(path)
    expect(answer.headers.get('content-type')).toMatch('application/json')
    const { asyncapi, info } = (await answer.json()) as { asyncapi: string; info: { title: string } }
    return [asyncapi, info.title]
  })
  expect(await Promise.all(titles)).toEqual([
    ['3.0.0', 'RentSport Notification Service'],
    ['3.0.0', 'RentSport'],
  ])
})
