import { afterAll, beforeAll, expect, test } from 'vitest'
import { REALISTIC_DELAYS } from '../gateway/charge-runs.ts'
import {
  backend,
  finals,
  gatewayHere,
  order,
  outsider,
  paymentDatabase,
  words,
  type PaymentDatabase,
} from './test-payments.ts'

const WHOLE = ['PENDING', 'PROCESSING', 'VALIDATING', 'COMPLETED']
const REFUSED = ['PENDING', 'PROCESSING', 'VALIDATING', 'FAILED']

let database: PaymentDatabase
beforeAll(async () => {
  database = await paymentDatabase()
})
afterAll(() => database[Symbol.asyncDispose]())

const chargesOf = async (paymentId: string) => {
  const { rows } = await database.pool.query('select * from gateway.charge where payment_id = $1', [paymentId])
  return rows as { amount_minor: string; currency: string }[]
}

test('the statuses come one by one, each as it exists, and the money moves once', async () => {
  await using gateway = await gatewayHere(database, REALISTIC_DELAYS)
  await using back = await backend(database, gateway.address)
  using client = outsider(back.address)
  const stream = client.open()
  const request = order()
  stream.pay(request)
  await stream.until(finals(1))
  expect(words(stream.seen)).toEqual(WHOLE)
  const times = stream.seen.map(({ atMs }) => atMs)
  for (let step = 1; step < times.length; step++) expect(times[step]! - times[step - 1]!).toBeGreaterThan(150)
  expect(await chargesOf(request.payment_id)).toMatchObject([{ amount_minor: '1999', currency: 'EUR' }])
  expect(await back.payments.charges(request.payment_id)).toMatchObject([{ amount_minor: 1_999, currency: 'EUR' }])

  // The same again, on this stream and on two others, and after the end: the same sequence, and no second charge.
  const texts = (from: typeof stream) => from.seen.map(({ status, message }) => `${status} ${message}`)
  const first = texts(stream)
  stream.pay(request)
  const others = [client.open(), client.open()]
  for (const other of others) {
    other.pay(request)
    other.call.end()
  }
  await stream.until(finals(2))
  expect(texts(stream).slice(4)).toEqual(first)
  for (const other of others) {
    expect(await other.ended).toBeUndefined()
    expect(texts(other)).toEqual(first)
  }
  expect(await chargesOf(request.payment_id)).toHaveLength(1)
  // Nothing of the card stays behind, and no row waits for anything.
  const { rows } = await database.pool.query('select * from rentsport.payment where id = $1', [request.payment_id])
  expect(rows).toMatchObject([{ method_secret: null, method_masked: 'card:****4242', open: false }])
  stream.call.end()
  expect(await stream.ended).toBeUndefined()
})

test('many payments share a stream, and each status has its event in the outbox', async () => {
  await using gateway = await gatewayHere(database)
  await using back = await backend(database, gateway.address)
  using client = outsider(back.address)
  const stream = client.open()
  const requests = Array.from({ length: 40 }, (_, index) => order({ amount: index + 0.01, user_id: `user ${index}` }))
  for (const request of requests) stream.pay(request)
  stream.call.end()
  expect(await stream.ended).toBeUndefined()
  for (const { payment_id } of requests) expect(words(stream.seen, payment_id)).toEqual(WHOLE)
  const { rows } = await database.pool.query(
    `select body_text::json ->> 'status' as status from waybill.outbox where ordering_key = $1 order by id`,
    [requests[7]!.payment_id],
  )
  expect(rows.map(({ status }: { status: string }) => status)).toEqual(WHOLE)
})

test.each([
  ['declined', 'card:4000000000000002', 'the card was declined'],
  ['insufficient funds', 'card:4000000000009995', 'the card has insufficient funds'],
])('a card that is refused (%s) fails with its reason, without a charge', async (_, payment_method, reason) => {
  await using gateway = await gatewayHere(database)
  await using back = await backend(database, gateway.address)
  using client = outsider(back.address)
  const stream = client.open()
  const request = order({ payment_method })
  stream.pay(request)
  await stream.until(finals(1))
  expect(words(stream.seen)).toEqual(REFUSED)
  expect(stream.seen.at(-1)!.message).toBe(reason)
  expect(await chargesOf(request.payment_id)).toHaveLength(0)
})

test('an answer that comes twice is told once; a PayPal account pays too', async () => {
  await using gateway = await gatewayHere(database)
  await using back = await backend(database, gateway.address)
  using client = outsider(back.address)
  const stream = client.open()
  const twice = order({ payment_method: 'card:4000000000000259' })
  const paypal = order({ payment_method: 'paypal:anna@example.com' })
  stream.pay(twice)
  stream.pay(paypal)
  stream.call.end()
  await stream.ended
  expect(words(stream.seen, twice.payment_id)).toEqual(WHOLE)
  expect(words(stream.seen, paypal.payment_id)).toEqual(WHOLE)
  expect(await chargesOf(twice.payment_id)).toHaveLength(1)
})

test('silence fails the payment in time, and it is voided until the gateway says so', async () => {
  await using gateway = await gatewayHere(database)
  await using back = await backend(database, gateway.address, { gatewayTimeoutMs: 600 })
  using client = outsider(back.address)
  const stream = client.open()
  const request = order({ payment_method: 'card:4000000000000119' })
  stream.pay(request)
  await stream.until(finals(1))
  expect(words(stream.seen)).toEqual(['PENDING', 'FAILED'])
  expect(stream.seen.at(-1)!.message).toContain('did not answer in time')
  await expect
    .poll(() => database.pool.query('select open, undo from rentsport.payment where id = $1', [request.payment_id]))
    .toMatchObject({ rows: [{ open: false, undo: 'VOID' }] })
  expect(await gateway.ledger.decision(request.payment_id)).toMatchObject({ outcome: 'VOIDED' })
})

test('a success that comes after we gave up is refunded', async () => {
  // Slower than the patience below, and decided before the void arrives.
  const late = { processingMs: 0, validatingMs: 0, decisionMs: 900 }
  await using gateway = await gatewayHere(database, late)
  await using back = await backend(database, gateway.address, { gatewayTimeoutMs: 300 })
  using client = outsider(back.address)
  const stream = client.open()
  const request = order()
  // Someone booked the charge before our void could be heard.
  await gateway.ledger.decide(request.payment_id, { outcome: 'COMPLETED', message: 'done' }, 1_999, 'EUR')
  await database.pool.query('alter table gateway.decision rename to decision_away')
  stream.pay(request)
  await stream.until(finals(1))
  expect(words(stream.seen).at(-1)).toBe('FAILED')
  await database.pool.query('alter table gateway.decision_away rename to decision')
  await expect
    .poll(() => database.pool.query('select open, undo from rentsport.payment where id = $1', [request.payment_id]), {
      timeout: 10_000,
    })
    .toMatchObject({ rows: [{ open: false, undo: 'REFUND' }] })
  expect(await back.payments.charges(request.payment_id)).toEqual([])
  expect(await chargesOf(request.payment_id)).toHaveLength(1)
})

test('a bad request fails with its reason, and the stream stays open for the next', async () => {
  await using gateway = await gatewayHere(database)
  await using back = await backend(database, gateway.address)
  using client = outsider(back.address)
  const stream = client.open()
  const bad: [Partial<Parameters<typeof order>[0]>, string][] = [
    [{ amount: 0.1 + 0.2 }, 'not exact'],
    [{ amount: 0 }, 'zero'],
    [{ amount: -5 }, 'negative'],
    [{ amount: Infinity }, 'endless'],
    [{ amount: NaN }, 'not a number'],
    [{ amount: 1e12 }, 'above the maximum'],
    [{ currency: 'GBP' }, 'currency is unknown'],
    [{ currency: 'eur' }, 'currency is unknown'],
    [{ payment_method: 'cash' }, 'payment_method is unknown'],
    [{ payment_method: 'card:4242 4242 4242 4242' }, 'payment_method is unknown'],
    [{ payment_id: '' }, 'payment_id is empty'],
    [{ payment_id: 'x'.repeat(201) }, 'longer than 200'],
    [{ user_id: '' }, 'user_id is empty'],
    [{ user_id: 'a\0b' }, 'NUL'],
  ]
  for (const [given, reason] of bad) {
    const request = order(given)
    stream.pay(request)
    await stream.until((seen) => seen.length > 0)
    expect(stream.seen.splice(0)).toMatchObject([
      { payment_id: request.payment_id, status: 'FAILED', message: expect.stringContaining(reason) },
    ])
  }
  const longest = order({ payment_id: 'é'.repeat(200) })
  stream.pay(longest)
  await stream.until(finals(1))
  expect(words(stream.seen)).toEqual(WHOLE)
  const { rows } = await database.pool.query(`select count(*)::int as count from rentsport.payment where id = 'x'`)
  expect(rows).toEqual([{ count: 0 }])
})

test('an id that was used with other content fails on that stream alone; the payment is not touched', async () => {
  await using gateway = await gatewayHere(database)
  await using back = await backend(database, gateway.address)
  using client = outsider(back.address)
  const [mine, theirs] = [client.open(), client.open()]
  const request = order()
  mine.pay(request)
  for (const change of [{ amount: 20 }, { user_id: 'oleg' }, { currency: 'USD' }, { payment_method: 'paypal:x' }]) {
    await mine.until((seen) => seen.length > 0)
    theirs.pay({ ...request, ...change })
  }
  await theirs.until(finals(4))
  expect(theirs.seen).toHaveLength(4)
  expect(theirs.seen[0]).toMatchObject({ status: 'FAILED', message: expect.stringContaining('other content') })
  await mine.until(finals(1))
  expect(words(mine.seen)).toEqual(WHOLE)
  expect(await chargesOf(request.payment_id)).toMatchObject([{ amount_minor: '1999' }])
})

test('a payment made in a transaction of its rental is run, settles the rental, and is gone with a rollback', async () => {
  await using gateway = await gatewayHere(database)
  await using back = await backend(database, gateway.address)
  const { payments, outbox } = back
  const made = (payment_id: string, rental_id: number) => ({
    ...order({ payment_id }),
    rental_id,
    amount_minor: 500,
    currency: 'RUB' as const,
  })
  await outbox.transaction((trx) => payments.create(trx, made('rental-1', 1)))
  payments.run('rental-1')
  const seen: string[] = []
  for await (const { status } of payments.watch('rental-1')) seen.push(status)
  expect(seen).toEqual(WHOLE)
  expect(back.outcomes).toEqual([{ rental_id: 1, status: 'COMPLETED', message: expect.any(String) as string }])
  const rolledBack = outbox.transaction(async (trx) => {
    await payments.create(trx, made('rental-2', 2))
    throw new Error('no unit left')
  })
  await expect(rolledBack).rejects.toThrow('no unit left')
  const { rows } = await database.pool.query(`select id from rentsport.payment where id = 'rental-2'`)
  expect(rows).toEqual([])
  // Without `run` (the process died right after COMMIT) it is found all the same.
  await outbox.transaction((trx) => payments.create(trx, made('rental-3', 3)))
  for await (const { status } of payments.watch('rental-3')) seen.push(status)
  expect(seen).toEqual([...WHOLE, ...WHOLE])
  expect(back.outcomes).toHaveLength(2)
})

test('two backends that drive the same payments, one of them gone half-way: each status once, each charge once', async () => {
  const slow = { processingMs: 100, validatingMs: 100, decisionMs: 100 }
  await using gateway = await gatewayHere(database, slow)
  const dying = await backend(database, gateway.address)
  await using other = await backend(database, gateway.address)
  const client = outsider(dying.address)
  const stream = client.open()
  const requests = Array.from({ length: 20 }, () => order())
  for (const request of requests) stream.pay(request)
  await stream.until((seen) => words(seen).filter((word) => word === 'PROCESSING').length >= 10)
  await dying[Symbol.asyncDispose]()
  expect(await stream.ended).toMatchObject({ code: 14 })
  client.close()
  using again = outsider(other.address)
  const resumed = again.open()
  for (const request of requests) resumed.pay(request)
  resumed.call.end()
  expect(await resumed.ended).toBeUndefined()
  for (const { payment_id } of requests) {
    expect(words(resumed.seen, payment_id)).toEqual(WHOLE)
    expect(await chargesOf(payment_id)).toHaveLength(1)
  }
})
