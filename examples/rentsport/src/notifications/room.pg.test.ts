import { createBus, shared, silentLogger, type Transport } from '@waybill/core'
import { memory } from '@waybill/core/memory'
import { createInbox, fromKysely, parkedPg } from '@waybill/outbox-pg'
import { createServer } from 'node:net'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { NotifyMaintenanceRequired, NotifyRentalExpired } from '../contracts/notifications.ts'
import { rentSportDatabase } from '../database/test-database.ts'
import { eventually } from '../test-rentsport.ts'
import { startNotifications } from './room.ts'

let at: Awaited<ReturnType<typeof rentSportDatabase>>
let dataDir: string
let plain: Awaited<ReturnType<typeof room>>
beforeAll(async () => {
  at = await rentSportDatabase()
  dataDir = await mkdtemp(join(tmpdir(), 'mailbox-'))
  plain = await room()
})
afterAll(async () => {
  await plain[Symbol.asyncDispose]()
  await at[Symbol.asyncDispose]()
  await rm(dataDir, { recursive: true })
})

const expired = {
  type: 'RENTAL_EXPIRED' as const,
  inventory_id: 2,
  message: 'Срок аренды истёк',
  timestamp: '2026-03-01T10:00:00+03:00',
}

async function room(smtpUrl?: string) {
  const transport = memory()
  const parked = parkedPg({ pool: at.pool })
  const inbox = createInbox({ db: fromKysely(at.db) })
  const running = await startNotifications({
    transport: shared(transport),
    inbox,
    parked,
    dataDir,
    smtpUrl,
    logger: silentLogger,
  })
  const bus = createBus({ transport: shared(transport), source: '/test', parked })
  return {
    transport,
    bus,
    parked,
    deliveredTo: (userId: number) =>
      at.db.selectFrom('rentsport.notification_delivered').selectAll().where('user_id', '=', userId).execute(),
    async [Symbol.asyncDispose]() {
      await bus.stop()
      await running[Symbol.asyncDispose]()
      await transport[Symbol.asyncDispose]()
    },
  }
}

/** As another producer sends it: bytes, and no word about what they are. */
function foreign(transport: Transport, body: unknown) {
  const [sent] = transport.publish([
    {
      id: '',
      type: '',
      destination: NotifyRentalExpired.destination,
      contentType: 'application/json',
      body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
      attributes: {},
      headers: {},
    },
  ])
  return sent!
}

test('a notification that comes twice is delivered once, by mail and by the way its reader prefers', async () => {
  const id = '01990000-0000-7000-8000-000000000001'
  for (let time = 0; time < 2; time++) await plain.bus.send(NotifyRentalExpired, { ...expired, user_id: 3 }, { id })
  await plain.bus.send(NotifyRentalExpired, { ...expired, user_id: 4 })
  await eventually('the one after it is delivered', async () => (await plain.deliveredTo(4)).length > 0)
  expect(await plain.deliveredTo(3)).toMatchObject([{ message_id: id, channels: ['email', 'sms'] }])
  expect(await readdir(join(dataDir, 'mailbox/sms'))).toContain(`${id}.txt`)
  const mail = await readFile(join(dataDir, 'mailbox/email', `${id}.txt`), 'utf8')
  expect(mail).toMatch(/^To: timur@rentsport\.example\nSubject: Срок аренды истёк\n\nЗдравствуйте/)
})

const whole = { ...expired, user_id: 5 }
test.each<[string, unknown]>([
  ['a field is missing', { ...whole, message: undefined }],
  ['an id is text', { ...whole, inventory_id: '2' }],
  ['the time has no offset', { ...whole, timestamp: '2026-03-01T10:00:00' }],
  ['the type is unknown', { ...whole, type: 'RENTAL_LOST' }],
  ['it is no JSON', '{"type":'],
  ['a NUL is in the text', { ...whole, message: 'a\0b' }],
  ['there is no such year', { ...whole, timestamp: '0000-01-01T00:00:00Z' }],
])('what another producer sends is parked with its reason when %s', async (_, body) => {
  const count = async () => {
    let parked = 0
    for await (const { reason } of plain.parked.list()) if (reason !== '') parked++
    return parked
  }
  const before = await count()
  await foreign(plain.transport, body)
  await eventually('it is parked', async () => (await count()) === before + 1)
  await foreign(plain.transport, { ...whole, message: `after: ${_}` })
  await eventually('the next one is delivered', async () =>
    (await plain.deliveredTo(5)).some(({ message }) => message === `after: ${_}`),
  )
})

test('with a mail server the mail goes there, and once more when it was away', async () => {
  const mails: string[] = []
  await using server = await mailServer(mails)
  await using at = await room(server.url)
  await at.bus.send(NotifyMaintenanceRequired, {
    ...expired,
    type: 'MAINTENANCE_REQUIRED',
    user_id: 101,
    message: 'Bearing',
  })
  const [mail] = await eventually('the mail is there', () => Promise.resolve(mails.length > 0 && mails))
  expect(mail).toMatch(/To: velodom@rentsport\.example/)
  expect(mail).toMatch(/Message-ID: <[0-9a-f-]{36}@rentsport\.com>/i)
  expect(mails).toHaveLength(1)
})

/** The least that is a mail server; it refuses the first mail for a moment. */
async function mailServer(mails: string[]) {
  let refused = false
  const server = createServer((socket) => {
    let data: string | undefined
    socket.setEncoding('utf8')
    socket.on('error', () => undefined)
    socket.write('220 mail ready\r\n')
    socket.on('data', (text: string) => {
      if (data !== undefined) {
        data += text
        if (!data.endsWith('\r\n.\r\n')) return
        mails.push(data)
        data = undefined
        return socket.write('250 kept\r\n')
      }
      if (text.startsWith('DATA')) {
        if (!refused) {
          refused = true
          return socket.write('451 in a moment\r\n')
        }
        data = ''
        return socket.write('354 go on\r\n')
      }
      if (text.startsWith('QUIT')) return socket.end('221 bye\r\n')
      return socket.write('250 mail\r\n')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return {
    url: `smtp://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  }
}
