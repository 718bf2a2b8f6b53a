import { defineEvent, PublishError, type Publisher, type WireMessage } from '@waybill/core'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { createOutbox } from '../outbox/outbox.ts'
import { testDatabase } from '../test-database.ts'
import { startRelay } from './relay.ts'

const Booked = defineEvent('rental.booked', {
  schema: z.object({ rentalId: z.string(), number: z.number() }),
  orderingKey: ({ rentalId }) => rentalId,
})

/** A carrier that keeps what it took, and refuses what `refuse` says. */
function carrier(refuse: (message: WireMessage) => PublishError | undefined = () => undefined) {
  const taken: string[] = []
  const publisher: Publisher = {
    publish: (messages) =>
      messages.map(async (message) => {
        const error = refuse(message)
        if (error) throw error
        const { rentalId, number } = JSON.parse(new TextDecoder().decode(message.body!))
        taken.push(`${rentalId}${number}`)
      }),
  }
  return { taken, publisher }
}

const numberOf = ({ body }: WireMessage) => JSON.parse(new TextDecoder().decode(body!)).number as number

async function fixture() {
  const database = await testDatabase()
  const { pool, schema } = database
  const outbox = createOutbox({ db: pool, source: '/rentals', schema, transport: 'one' })
  const book = (rentalId: string, numbers: number[], transport?: string) => {
    const definition = transport ? { ...Booked, destination: { ...Booked.destination, transport } } : Booked
    return outbox.transaction(async (_trx, messages) => {
      for (const number of numbers) messages.publish(definition, { rentalId, number })
    })
  }
  return { ...database, outbox, book }
}

test('what was committed is handed over, with id as sequence and the time of the database', async () => {
  await using at = await fixture()
  const seen: WireMessage[] = []
  const publisher: Publisher = {
    publish: (messages) => messages.map(async (message) => void seen.push(message)),
  }
  await at.book('a', [1])
  await using relay = startRelay({ pool: at.pool, outbox: at.outbox, transports: { one: publisher } })
  await at.book('a', [2])
  await expect.poll(() => seen.length).toBe(2)
  expect(seen.map(({ attributes }) => attributes.sequence)).toEqual(['1', '2'])
  expect(Math.abs(Date.parse(seen[0]!.attributes.time!) - Date.now())).toBeLessThan(10_000)
  expect((await relay.health()).every(({ state }) => state === 'up')).toBe(true)
})

test('one dead carrier holds up no other, and goes on where it was, in order', async () => {
  await using at = await fixture()
  let dead = true
  const one = carrier(() => (dead ? new PublishError('away', { scope: 'transport' }) : undefined))
  const two = carrier()
  await using relay = startRelay({
    pool: at.pool,
    outbox: at.outbox,
    transports: { one: one.publisher, two: two.publisher },
  })
  const numbers = Array.from({ length: 50 }, (_, number) => number)
  await at.book('a', numbers)
  await at.book('b', numbers, 'two')
  await expect.poll(() => two.taken.length).toBe(50)
  expect(one.taken).toEqual([])
  expect(await relay.health()).toContainEqual(expect.objectContaining({ part: 'carrier one', state: 'down' }))
  dead = false
  await expect.poll(() => one.taken.length, { timeout: 5_000 }).toBe(50)
  expect(one.taken).toEqual(numbers.map((number) => `a${number}`))
  expect((await at.pool.query(`select from "${at.schema}".outbox_retry`)).rowCount).toBe(0)
})

test('a refused message is tried again, then parked; its key waits, others go on; replay lets the key go', async () => {
  await using at = await fixture()
  let tries = 0
  let poison = true
  const one = carrier((message) => {
    if (!poison || message.orderingKey !== 'a' || numberOf(message) !== 1) return undefined
    tries++
    return new PublishError('refused')
  })
  await using relay = startRelay({
    pool: at.pool,
    outbox: at.outbox,
    transports: { one: one.publisher },
    retryMs: [10, 10],
  })
  await at.book('a', [0, 1, 2])
  await at.book('b', [0, 1])
  const parked = async () => {
    const found = []
    for await (const message of relay.parked.list()) found.push(message)
    return found
  }
  await expect.poll(async () => (await parked()).length, { timeout: 5_000 }).toBe(1)
  await at.book('a', [3])
  await at.book('b', [2])
  await expect.poll(() => one.taken.length).toBe(4)
  expect(one.taken.toSorted()).toEqual(['a0', 'b0', 'b1', 'b2'])
  expect(tries).toBe(3)
  const [message] = await parked()
  expect(message).toMatchObject({ attempts: 3, reason: 'PublishError: refused' })
  poison = false
  await Promise.all(relay.parked.replay([message!.handle]))
  await expect
    .poll(() => one.taken.filter((name) => name.startsWith('a')), { timeout: 5_000 })
    .toEqual(['a0', 'a1', 'a2', 'a3'])
})

test('onParked skip: the key goes on; discard takes the message away', async () => {
  await using at = await fixture()
  const one = carrier((message) =>
    numberOf(message) === 1 ? new PublishError('never', { retryable: false }) : undefined,
  )
  await using relay = startRelay({
    pool: at.pool,
    outbox: at.outbox,
    transports: { one: one.publisher },
    onParked: 'skip',
  })
  await at.book('a', [0, 1, 2, 3])
  await expect.poll(() => one.taken, { timeout: 5_000 }).toEqual(['a0', 'a2', 'a3'])
  // what comes behind it is handed over before it is stored that it is parked
  const parked = () => at.pool.query(`select from "${at.schema}".outbox_retry where parked_at is not null`)
  await expect.poll(async () => (await parked()).rowCount).toBe(1)
  for await (const { handle } of relay.parked.list()) await Promise.all(relay.parked.discard([handle], 'not needed'))
  expect((await at.pool.query(`select from "${at.schema}".outbox_retry`)).rowCount).toBe(0)
})

test('a relay that lost its lease stores nothing any more, and its successor goes on', async () => {
  await using at = await fixture()
  const first = carrier()
  await using relay = startRelay({ pool: at.pool, outbox: at.outbox, transports: { one: first.publisher } })
  await at.book('a', [0])
  await expect.poll(() => first.taken).toEqual(['a0'])
  const stored = async () =>
    (await at.pool.query(`select token::text, position::text from "${at.schema}".reader`)).rows[0]
  await expect.poll(async () => (await stored()).position).toBe('1')
  // another holder, as after a freeze: the token moves on
  await at.pool.query(
    `update "${at.schema}".reader set token = token + 1, leased_by = 'other', leased_until = clock_timestamp() + interval '1 s'`,
  )
  await at.book('a', [1])
  await expect
    .poll(async () => (await relay.health()).find(({ part }) => part === 'reader relay/one')?.reason)
    .toMatch(/standing by|taken over/)
  expect((await stored()).position).toBe('1')
  // the other one dies: its lease runs out, and the message is handed over again by who takes it
  await expect.poll(async () => (await stored()).position, { timeout: 5_000 }).toBe('2')
  expect(new Set(first.taken)).toEqual(new Set(['a0', 'a1']))
})

test('a logger that throws holds up neither what a carrier refuses nor what comes behind it', async () => {
  await using at = await fixture()
  let away = true
  const one = carrier((message) => {
    if (away) return new PublishError('away', { scope: 'transport' })
    return numberOf(message) === 1 ? new PublishError('never', { retryable: false }) : undefined
  })
  let said = 0
  const full = (): never => {
    said++
    away = false
    throw new Error('ENOSPC: no space left on device, write')
  }
  await using _relay = startRelay({
    pool: at.pool,
    outbox: at.outbox,
    transports: { one: one.publisher },
    onParked: 'skip',
    logger: { debug: full, info: full, warn: full, error: full },
  })
  await at.book('a', [0, 1, 2])
  await expect.poll(() => one.taken, { timeout: 10_000 }).toEqual(['a0', 'a2'])
  expect(said).toBe(2)
})
