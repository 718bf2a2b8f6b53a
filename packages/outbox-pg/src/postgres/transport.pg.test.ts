import type { Delivery, Settlement, SubscribeOptions, WireMessage } from '@waybill/core'
import { defineEvent } from '@waybill/core'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { createOutbox } from '../outbox/outbox.ts'
import { testDatabase } from '../test-database.ts'
import { postgres } from './transport.ts'

const Booked = defineEvent('rental.booked', { schema: z.object({ rentalId: z.string() }) })

const topic = (service: string, name: string): SubscribeOptions => ({
  service,
  sources: [{ kind: 'topic', name }],
  mode: 'compete',
  ackBefore: false,
  maxOpen: 64,
  maxOpenBytes: 1e6,
  start: 'earliest',
})

const message = (id: string, given: Partial<WireMessage> = {}): WireMessage => ({
  id,
  type: 'rental.booked',
  destination: { kind: 'topic', name: 'rental.booked' },
  contentType: 'application/json',
  body: Buffer.from('{}'),
  attributes: { source: '/test' },
  headers: {},
  ...given,
})

test('a committed message reaches every service, a rolled back one none', async () => {
  await using database = await testDatabase()
  const outbox = createOutbox({ db: database.pool, source: '/rentals', schema: database.schema, transport: 'postgres' })
  await using transport = postgres({ pool: database.pool, outbox })
  const seen: string[] = []
  const take =
    (service: string) =>
    (delivery: Delivery): Promise<Settlement> => {
      seen.push(`${service} ${new TextDecoder().decode(delivery.message.body!)}`)
      return Promise.resolve({ outcome: 'ack' })
    }
  await transport.subscribe(topic('billing', 'rental.booked'), take('billing'))
  await transport.subscribe(topic('report', 'rental.booked'), take('report'))
  await outbox.transaction(async (_trx, messages) => messages.publish(Booked, { rentalId: 'r-1' }))
  const failed = outbox.transaction(async (_trx, messages) => {
    messages.publish(Booked, { rentalId: 'r-2' })
    throw new Error('no')
  })
  await expect(failed).rejects.toThrow('no')
  await outbox.transaction(async (_trx, messages) => messages.publish(Booked, { rentalId: 'r-3' }))
  await expect.poll(() => seen.length).toBe(4)
  expect(seen.toSorted()).toEqual([
    'billing {"rentalId":"r-1"}',
    'billing {"rentalId":"r-3"}',
    'report {"rentalId":"r-1"}',
    'report {"rentalId":"r-3"}',
  ])
})

test('requeue comes again counted, deadLetter is parked, replay brings it back', async () => {
  await using database = await testDatabase()
  await using transport = postgres({ pool: database.pool, schema: database.schema })
  const attempts: number[] = []
  let reply: Settlement = { outcome: 'requeue', delayMs: 10, notes: { 'waybill-failures': '1' } }
  await transport.subscribe(topic('billing', 'rental.booked'), (delivery) => {
    attempts.push(delivery.attempt)
    const now = reply
    if (attempts.length === 2) reply = { outcome: 'ack' }
    else reply = { outcome: 'deadLetter', notes: { 'waybill-reason': 'broken' } }
    return Promise.resolve(now)
  })
  await Promise.all(transport.publish([message('m-1')]))
  await expect.poll(() => attempts).toEqual([1, 2])
  const list = async () => {
    const parked = []
    for await (const one of transport.parked!.list({ service: 'billing' })) parked.push(one)
    return parked
  }
  await expect.poll(async () => (await list()).length).toBe(1)
  const [one] = await list()
  expect(one).toMatchObject({ reason: 'broken', service: 'billing', message: { id: 'm-1' } })
  await Promise.all(transport.parked!.replay([one!.handle]))
  await expect.poll(() => attempts).toEqual([1, 2, 1])
  await expect
    .poll(async () => (await database.pool.query(`select from "${database.schema}".outbox_retry`)).rowCount)
    .toBe(0)
})
