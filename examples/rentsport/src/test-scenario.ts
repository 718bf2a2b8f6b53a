import { credentials, loadPackageDefinition, type Client, type ClientDuplexStream } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { commandOf } from './supervisor/process-info.ts'
import { holdTables } from './test-hold.ts'
import {
  eventually,
  paymentEvents,
  type HealthAnswer,
  type Room,
  type RunningRentSport,
  type ServerEvent,
} from './test-rentsport.ts'

interface RentalAnswer {
  readonly id: number
  readonly payment_id: string
  readonly status: string
}

const ROOMS = ['backend', 'gateway', 'notifications', 'reports'] as const
const DELIVERED = 'rentsport.notification_delivered'
/** What notifications and reports write to in the transaction of a message. */
const WRITTEN = [DELIVERED, 'rentsport.report_payment']

const GOOD = 'card:4242424242424242'
const CARDS = [GOOD, GOOD, 'card:4000000000000002', GOOD, GOOD, 'card:4000000000009995', GOOD, GOOD, GOOD, GOOD]

export async function rent(system: RunningRentSport, payment_method = GOOD, user_id = 1): Promise<RentalAnswer> {
  const answer = await system.post('/api/rentals', { equipment_id: 1, user_id, days: 1, payment_method })
  expect(answer.status).toBe(201)
  return (await answer.json()) as RentalAnswer
}

/** Each room runs its own `main.ts`, in a process of its own. */
export async function processesOfTheirOwn(system: RunningRentSport): Promise<void> {
  const { pids } = await system.health()
  expect(pids.main).toBe(system.child.pid)
  for (const room of ROOMS) expect(commandOf(pids[room]!)).toContain(`/${room}/main.ts`)
  expect(new Set(Object.values(pids)).size).toBe(ROOMS.length + 1)
}

/** Ten payments, and all who work for them are killed in the middle: what must be true in the end, whatever carries. */
export async function killInTheMiddleOfTen(system: RunningRentSport): Promise<void> {
  const before = await system.health()
  const rentals = await bookTenAndKill(system, before.pids)
  const ids = rentals.map(({ id }) => id)
  await eventually('every rental is settled', async () => {
    const waiting = await system.rows(
      `select from rentsport.rental where id = any($1) and status = 'PENDING_PAYMENT'`,
      [ids],
    )
    return waiting.length === 0
  })
  for (const [index, { payment_id }] of rentals.entries()) {
    const statuses = await system.rows<{ status: string }>(
      'select status from rentsport.payment_status where payment_id = $1 order by number',
      [payment_id],
    )
    const words = statuses.map(({ status }) => status)
    const good = CARDS[index] === GOOD
    expect(words.filter((word) => word === 'COMPLETED' || word === 'FAILED')).toEqual([good ? 'COMPLETED' : 'FAILED'])
    expect(new Set(words).size).toBe(words.length)
    expect(words[0]).toBe('PENDING')
    expect(await system.get(`/api/charges?payment_id=${payment_id}`)).toHaveLength(good ? 1 : 0)
  }
  const after = await eventually('all parts work again', async () => {
    const health = await system.health()
    return health.status === 'up' && health
  })
  for (const room of ROOMS) {
    if (room === 'gateway') expect(after.pids[room]).toBe(before.pids[room])
    else expect(after.pids[room]).not.toBe(before.pids[room])
  }
}

/** The backend dies while payments are under way, each service while it has a message half handled. */
async function bookTenAndKill(system: RunningRentSport, pids: HealthAnswer['pids']): Promise<readonly RentalAnswer[]> {
  await using held = await holdTables(system.databaseUrl, WRITTEN)
  const rentals = await Promise.all(CARDS.map((card) => rent(system, card, 2)))
  expect((await system.post('/api/equipment/2/maintenance')).status).toBe(202)
  await eventually('some payments are under way', async () => {
    const rows = await system.rows(`select from rentsport.payment where status in ('PROCESSING', 'VALIDATING')`)
    return rows.length > 0
  })
  process.kill(pids.backend!, 'SIGKILL')
  await eventually('both services are in the middle of a message', async () => {
    const awaited = await held.awaited()
    return WRITTEN.every((table) => awaited.includes(table))
  })
  process.kill(pids.notifications!, 'SIGKILL')
  process.kill(pids.reports!, 'SIGKILL')
  return rentals
}

/** Each message that was committed was handled, and handled once. */
export async function everythingHandledOnce(system: RunningRentSport): Promise<void> {
  const notified = await eventually('all that was paid expired, and everybody heard', async () => {
    const rows = await system.rows<{ type: string; delivered: number }>(
      `select type, (select count(*)::int from rentsport.notification_delivered as delivered
           where delivered.message_id = outbox.message_id) as delivered
         from waybill.outbox where type like 'notification.%'`,
    )
    const paid = await system.rows(`select from rentsport.rental where status = 'EXPIRED'`)
    const open = await system.rows(`select from rentsport.rental where status = 'ACTIVE'`)
    const expiries = rows.filter(({ type }) => type === 'notification.rental-expired')
    const all = open.length === 0 && expiries.length === paid.length && rows.every(({ delivered }) => delivered > 0)
    return all && rows
  })
  await eventually('the report service handled every event', async () => {
    const missed = await system.rows(
      `select from waybill.outbox where destination in ('rentsport.rentals', 'rentsport.payments')
         and not exists (select from waybill.inbox where service = 'reports' and key = message_id)`,
    )
    return missed.length === 0
  })
  expect(notified.filter(({ delivered }) => delivered !== 1)).toEqual([])
  await mailedOnce(system)
  expect(await system.get('/api/parked')).toEqual([])
}

/** The mailboxes hold what the table says was delivered, and nothing else. */
async function mailedOnce(system: RunningRentSport): Promise<void> {
  const delivered = await system.rows<{ message_id: string; channels: string[] }>(
    'select message_id, channels from rentsport.notification_delivered',
  )
  for (const way of ['email', 'sms', 'push']) {
    const mailbox = await readdir(join(system.dataDir, 'mailbox', way)).catch(() => [])
    const wanted = delivered.filter(({ channels }) => channels.includes(way)).map(({ message_id }) => message_id)
    expect(mailbox.map((file) => file.replace(/\.txt$/, '')).sort()).toEqual(wanted.sort())
  }
}

/** The report, made of events alone, says what the tables of those say whose events they are. */
export async function reportAgrees(system: RunningRentSport): Promise<void> {
  const { revenue, payments, rentals } =
    await system.get<Record<'revenue' | 'payments' | 'rentals', object>>('/api/report')
  const counted = async (table: string) =>
    Object.fromEntries(
      (
        await system.rows<{ status: string; count: number }>(
          `select status, count(*)::int as count from rentsport.${table} group by status`,
        )
      ).map(({ status, count }) => [status, count]),
    )
  expect(revenue).toEqual(
    await system.rows(
      `select currency, sum(amount_minor)::float8 as amount_minor, count(*)::int as payments
       from rentsport.payment where status = 'COMPLETED' group by currency order by currency`,
    ),
  )
  expect(payments).toEqual(await counted('payment'))
  expect(rentals).toEqual(await counted('rental'))
}

/** The steps of a payment as a browser gets them, which leaves in the middle and comes back. */
export async function statusesLive(system: RunningRentSport): Promise<void> {
  const { payment_id } = await rent(system)
  const seen: ServerEvent[] = []
  for await (const event of paymentEvents(system.url, payment_id)) {
    seen.push(event)
    if (event.status === 'PROCESSING') break
  }
  for await (const event of paymentEvents(system.url, payment_id, seen.at(-1)!.id)) seen.push(event)
  expect(seen.map(({ status }) => status)).toEqual(['PENDING', 'PROCESSING', 'VALIDATING', 'COMPLETED'])
  expect(seen.map(({ id }) => id)).toEqual([1, 2, 3, 4])
  // Not all at once at the end.
  expect(seen[3]!.atMs - seen[0]!.atMs).toBeGreaterThan(500)
  const again: ServerEvent[] = []
  for await (const event of paymentEvents(system.url, payment_id, 4)) again.push(event)
  expect(again).toEqual([])
}

type PaymentStream = ClientDuplexStream<object, { payment_id: string; status: string; message: string }>

/** A client that knows nothing but `payment.proto`: pays, asks again under the same id, and errs. */
export async function paysFromOutside(system: RunningRentSport, address: string): Promise<void> {
  const proto = loadSync(fileURLToPath(new URL('./contracts/payment.proto', import.meta.url)), { keepCase: true })
  const { PaymentService } = loadPackageDefinition(proto) as unknown as {
    PaymentService: new (address: string, with_: object) => Client & { ProcessPayment(): PaymentStream }
  }
  const client = new PaymentService(address, credentials.createInsecure())
  const request = { payment_id: 'outside-1', user_id: 'somebody', amount: 19.99, currency: 'EUR', payment_method: GOOD }
  const pay = async (...requests: object[]) => {
    const stream = client.ProcessPayment()
    for (const one of requests) stream.write(one)
    stream.end()
    const seen: { status: string; atMs: number }[] = []
    for await (const { status } of stream) seen.push({ status, atMs: Date.now() })
    return seen
  }
  try {
    const first = await pay(request)
    expect(first.map(({ status }) => status)).toEqual(['PENDING', 'PROCESSING', 'VALIDATING', 'COMPLETED'])
    expect(first[3]!.atMs - first[0]!.atMs).toBeGreaterThan(500)
    expect((await pay(request)).map(({ status }) => status)).toEqual(first.map(({ status }) => status))
    expect((await pay({ ...request, amount: 0.1 + 0.2, payment_id: 'outside-2' })).map(({ status }) => status)).toEqual(
      ['FAILED'],
    )
    expect(await system.get('/api/charges?payment_id=outside-1')).toMatchObject([
      { amount_minor: 1999, currency: 'EUR' },
    ])
  } finally {
    client.close()
  }
}

/** Web asks the backend by request and reply. */
export async function quoteAnswered(system: RunningRentSport): Promise<void> {
  expect(await system.get('/api/quote?equipment_id=3&days=2')).toEqual({
    equipment_id: 3,
    days: 2,
    amount_minor: 380_000,
    currency: 'RUB',
  })
}

/** Web asks all branches at once. */
export async function availabilityGathered(system: RunningRentSport): Promise<void> {
  const { branches, unknown } = (await system.get('/api/availability?category=kayak')) as {
    branches: { owner_id: number; units_free: number }[]
    unknown: number[]
  }
  expect(unknown).toEqual([])
  expect(branches.map(({ owner_id, units_free }) => [owner_id, units_free > 0])).toEqual([
    [101, false],
    [102, false],
    [103, true],
    [104, false],
  ])
}

/** A message that a service has in hand when everything is told to end is handled to its end; then nobody is left. */
export async function stopsCleanly(system: RunningRentSport): Promise<void> {
  const { pids } = await system.health()
  const gone = (room: Room) => commandOf(pids[room]!) === undefined
  const startedMs = Date.now()
  {
    await using held = await holdTables(system.databaseUrl, [DELIVERED])
    expect((await system.post('/api/equipment/3/maintenance')).status).toBe(202)
    await eventually('notifications has a message in hand', async () => (await held.awaited()).length > 0)
    system.child.kill('SIGINT')
    // Told at the same moment, it has nothing in hand.
    await eventually('reports ended', () => Promise.resolve(gone('reports')))
    expect(gone('notifications')).toBe(false)
  }
  expect(await system.exited).toEqual([0, null])
  expect(Date.now() - startedMs).toBeLessThan(10_000)
  expect(ROOMS.filter((room) => !gone(room))).toEqual([])
  expect(await system.rows(`select from ${DELIVERED} where inventory_id = 3`)).toHaveLength(1)
}
