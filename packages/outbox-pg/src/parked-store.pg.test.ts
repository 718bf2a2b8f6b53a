import type { WireMessage } from '@waybill/core'
import { expect, test } from 'vitest'
import { parkedPg } from './parked-store.ts'
import { testDatabase } from './test-database.ts'

const message: WireMessage = {
  id: 'm-1',
  type: 'rental.booked',
  destination: { kind: 'topic', name: 'rental.booked', subject: 'eu' },
  contentType: 'application/octet-stream',
  body: Uint8Array.of(0, 255, 1),
  attributes: { source: '/rentals', time: '2026-01-01T00:00:00Z' },
  headers: Object.assign(Object.create(null), { plain: 'x', bytes: Uint8Array.of(0, 1) }),
  orderingKey: 'k',
}

test('parks a message whole, lists by filter, replays in order and removes, discards', async () => {
  await using database = await testDatabase()
  const delivered: string[] = []
  const store = parkedPg({
    pool: database.pool,
    schema: database.schema,
    deliver: async (parked) => void delivered.push(`${parked.service} ${parked.reason}`),
  })
  const park = (service: string, reason: string) => ({
    service,
    reason,
    attempts: 3,
    parkedAtMs: 1_700_000_000_000,
    message,
  })
  await Promise.all(store.park([park('billing', 'a\0'), park('billing', 'b'), park('report', 'c')]))
  const list = async (service?: string) => {
    const found = []
    for await (const one of store.list({ service })) found.push(one)
    return found
  }
  const billing = await list('billing')
  expect(billing.map(({ reason }) => reason)).toEqual(['a', 'b'])
  expect(billing[0]).toMatchObject({ attempts: 3, parkedAtMs: 1_700_000_000_000 })
  expect({ ...billing[0]!.message, body: [...billing[0]!.message.body!] }).toEqual({ ...message, body: [0, 255, 1] })
  await Promise.all(store.replay([billing[1]!.handle, billing[0]!.handle]))
  expect(delivered).toEqual(['billing b', 'billing a'])
  const [left] = await list()
  await Promise.all(store.discard([left!.handle], 'not needed'))
  expect(await list()).toEqual([])
  await expect(store.replay([left!.handle])[0]).rejects.toMatchObject({ retryable: false })
})

test('a foreign message with U+0000 in its names is parked like any other, and its neighbours with it', async () => {
  await using database = await testDatabase()
  const store = parkedPg({ pool: database.pool, schema: database.schema })
  const foreign = {
    ...message,
    id: 'm\0',
    type: '\0',
    orderingKey: 'a\0b',
    headers: { x: 'y\0' },
    attributes: { z: '\0' },
  }
  const entries = [message, foreign].map((one) => ({
    service: 'billing',
    reason: 'a',
    attempts: 1,
    parkedAtMs: 1_700_000_000_000,
    message: one,
  }))
  await Promise.all(store.park(entries))
  const found = []
  for await (const { message: one } of store.list()) found.push([one.id, one.type, one.orderingKey, one.headers.x])
  expect(found).toEqual([
    ['m-1', 'rental.booked', 'k', undefined],
    ['m␀', '␀', 'a␀b', 'y\0'],
  ])
})
