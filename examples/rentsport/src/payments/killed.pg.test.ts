import { expect, test } from 'vitest'
import {
  backend,
  finals,
  gatewayProcess,
  order,
  outsider,
  paymentDatabase,
  paymentsProcess,
  words,
} from './test-payments.ts'

const WHOLE = ['PENDING', 'PROCESSING', 'VALIDATING', 'COMPLETED']

test('a gateway killed in the middle of payments: each still ends well, and is charged once', async () => {
  await using database = await paymentDatabase()
  await using gateway = await gatewayProcess(database)
  await using back = await backend(database, gateway.address)
  using client = outsider(back.address)
  const stream = client.open()
  const requests = Array.from({ length: 10 }, () => order())
  // Half of them well under way, one of the last perhaps charged and not told.
  for (const request of requests.slice(0, 5)) stream.pay(request)
  await stream.until((seen) => seen.some(({ status }) => status === 'COMPLETED'))
  for (const request of requests.slice(5)) stream.pay(request)
  await stream.until((seen) => words(seen).filter((word) => word === 'PENDING').length === 10)
  await gateway.kill('SIGKILL')
  await gateway.restart()
  await stream.until(finals(10))
  for (const { payment_id } of requests) expect(words(stream.seen, payment_id)).toEqual(WHOLE)
  const { rows } = await database.pool.query('select payment_id from gateway.charge order by payment_id')
  expect(rows.map(({ payment_id }: { payment_id: string }) => payment_id)).toEqual(
    requests.map(({ payment_id }) => payment_id).sort(),
  )
})

test('a gateway that stays away: FAILED in time, and voided when it is back', async () => {
  await using database = await paymentDatabase()
  await using gateway = await gatewayProcess(database)
  await using back = await backend(database, gateway.address, { gatewayTimeoutMs: 1_500 })
  using client = outsider(back.address)
  const stream = client.open()
  const request = order()
  stream.pay(request)
  await stream.until((seen) => words(seen).includes('PROCESSING'))
  await gateway.kill('SIGKILL')
  const unheard = order()
  stream.pay(unheard)
  await stream.until(finals(2))
  expect(words(stream.seen, request.payment_id)).toEqual(['PENDING', 'PROCESSING', 'FAILED'])
  expect(words(stream.seen, unheard.payment_id)).toEqual(['FAILED'])
  expect(back.payments.trouble).toBeTypeOf('string')
  await gateway.restart()
  await expect
    .poll(() => database.pool.query('select id from rentsport.payment where open'), { timeout: 10_000 })
    .toMatchObject({ rows: [] })
  expect(back.payments.trouble).toBeUndefined()
  const { rows } = await database.pool.query('select * from gateway.charge')
  expect(rows).toEqual([])
})

test('a gateway that hangs: FAILED in time, and voided when it answers again', async () => {
  await using database = await paymentDatabase()
  await using gateway = await gatewayProcess(database)
  await using back = await backend(database, gateway.address, { gatewayTimeoutMs: 1_500 })
  using client = outsider(back.address)
  const stream = client.open()
  const request = order()
  stream.pay(request)
  await stream.until((seen) => words(seen).includes('PENDING'))
  gateway.child.kill('SIGSTOP')
  await stream.until(finals(1))
  expect(words(stream.seen).at(-1)).toBe('FAILED')
  gateway.child.kill('SIGCONT')
  await expect
    .poll(() => database.pool.query('select id from rentsport.payment where open'), { timeout: 15_000 })
    .toMatchObject({ rows: [] })
  // Whichever came first, the charge or the void: no money stays away.
  expect(await back.payments.charges(request.payment_id)).toEqual([])
})

test('kill -9 of the backend in the middle of ten payments: each has one end and one charge', async () => {
  await using database = await paymentDatabase()
  await using gateway = await gatewayProcess(database)
  await using back = await paymentsProcess(database, gateway.address)
  const requests = Array.from({ length: 10 }, () => order())
  using before = outsider(back.address)
  const stream = before.open()
  for (const request of requests) stream.pay(request)
  await stream.until((seen) => words(seen).filter((word) => word === 'PROCESSING').length >= 5)
  await back.kill('SIGKILL')
  expect(await stream.ended).toMatchObject({ code: 14 })
  await back.restart()
  // Nobody asks, and they end all the same.
  await expect
    .poll(() => database.pool.query('select id from rentsport.payment where open'), { timeout: 15_000 })
    .toMatchObject({ rows: [] })
  using after = outsider(back.address)
  const again = after.open()
  for (const request of requests) again.pay(request)
  again.call.end()
  expect(await again.ended).toBeUndefined()
  for (const { payment_id } of requests) expect(words(again.seen, payment_id)).toEqual(WHOLE)
  const { rows } = await database.pool.query(
    `select (select count(*)::int from gateway.charge) as charges,
            (select count(*)::int from waybill.outbox) as messages, (select count(*)::int from rentsport.payment_status) as statuses`,
  )
  expect(rows).toEqual([{ charges: 10, messages: 40, statuses: 40 }])
})

test('the gateway ends on SIGTERM, and when its parent is gone', async () => {
  await using database = await paymentDatabase()
  await using gateway = await gatewayProcess(database)
  expect(await gateway.kill('SIGTERM')).toEqual([0, null])
  await gateway.restart()
  const exited = new Promise((resolve) => gateway.child.once('exit', resolve))
  gateway.child.disconnect()
  expect(await exited).toBe(0)
})
