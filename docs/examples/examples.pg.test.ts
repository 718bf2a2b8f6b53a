import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createBus, defineEvent, publishFault, shared, type WireMessage } from '@waybill/core'
import { memory } from '@waybill/core/memory'
import { migrate, parkedPg } from '@waybill/outbox-pg'
import { Kysely, PostgresDialect } from 'kysely'
import { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { billing } from './consume-once.ts'
import { RentalBooked, type Tables } from './domain.ts'
import { book } from './publish-in-transaction.ts'
import { priceOf } from './request-reply.ts'
import { webhook } from './webhook.ts'

const name = `docs_${randomBytes(6).toString('hex')}`
const admin = new Pool({ connectionString: process.env.DATABASE_URL, max: 1 })
const url = new URL(process.env.DATABASE_URL!)
url.pathname = `/${name}`
let pool: Pool
let db: Kysely<Tables>

beforeAll(async () => {
  await admin.query(`create database ${name}`)
  pool = new Pool({ connectionString: url.href })
  pool.on('error', () => undefined)
  db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
  await migrate({ pool })
  await pool.query(`create table rental (id text primary key, ski_id text not null, days int not null);
    create table invoice (id int generated always as identity primary key, rental_id text not null, cents int not null)`)
})

afterAll(async () => {
  await db.destroy()
  await admin.query(`drop database ${name} with (force)`)
  await admin.end()
})

describe('the examples of the docs', () => {
  it('list what is parked by the config of the command, and close it', async () => {
    vi.stubEnv('DATABASE_URL', url.href)
    const { parked, asyncapi, close } = await import('./waybill.config.ts')
    vi.unstubAllEnvs()
    const message: WireMessage = {
      id: 'm',
      type: 'rental.booked',
      destination: { kind: 'topic', name: 'rentals' },
      contentType: 'application/json',
      body: new TextEncoder().encode('{}'),
      attributes: {},
      headers: {},
    }
    await parkedPg({ pool }).park([{ service: 'billing', reason: 'no', attempts: 3, parkedAtMs: 1, message }])[0]
    const listed: string[] = []
    for await (const item of parked.list({ service: 'billing' })) listed.push(item.message.id)
    expect([listed, asyncapi.asyncapi]).toEqual([['m'], '3.0.0'])
    await close()
  })

  it('run the first one without a broker', async () => {
    const log = vi.spyOn(console, 'log').mockReturnValue(undefined)
    await import('./first.ts')
    expect(log.mock.calls).toEqual([['bill 3 days of s-42']])
    log.mockRestore()
  })

  it('write rental and message together, and the invoice once, whatever comes twice', async () => {
    const carrier = memory()
    await using bus = await billing(db, shared(carrier))
    await using relay = await book(db, pool, shared(carrier), { id: 'r-1', ski_id: 's-42', days: 3 })

    const invoices = () => db.selectFrom('invoice').select(['rental_id', 'cents']).execute()
    await vi.waitFor(async () => expect(await invoices()).toEqual([{ rental_id: 'r-1', cents: 4_500 }]), 10_000)
    const copy = { rentalId: 'r-2', skiId: 's-42', days: 1 }
    await bus.publish(RentalBooked, copy, { id: 'twice' })
    await bus.publish(RentalBooked, copy, { id: 'twice' })
    await bus.publish(RentalBooked, { ...copy, rentalId: 'r-3' })
    await vi.waitFor(async () => expect((await invoices()).at(-1)?.rental_id).toBe('r-3'), 10_000)
    expect((await invoices()).map(({ rental_id }) => rental_id)).toEqual(['r-1', 'r-2', 'r-3'])
    await relay.stop()
  })

  it('ask and answer', async () => {
    await using bus = createBus({ transport: memory(), source: '/desk' })
    expect(await priceOf(bus)).toBe(4_500)
  })

  it('publish through an adapter of one function', async () => {
    const seen: { type: unknown; body: string }[] = []
    const server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        seen.push({ type: request.headers['ce-type'], body: Buffer.concat(chunks).toString() })
        response.statusCode = seen.length === 1 ? 204 : 422
        response.end()
      })
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const definition = defineEvent('hook.called', { schema: z.object({}) })
    const message: WireMessage = {
      id: 'h-1',
      type: definition.wireType,
      destination: definition.destination,
      contentType: 'application/json',
      body: new TextEncoder().encode('{}'),
      attributes: { source: '/docs' },
      headers: {},
    }
    const publisher = webhook(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    await publisher.publish([message])[0]
    expect(seen).toEqual([{ type: 'hook.called', body: '{}' }])

    const refused = await publisher.publish([message])[0]!.catch(publishFault)
    expect(refused).toEqual({ scope: 'message', retryable: false, mayExist: false })
    server.close()
    await once(server, 'close')
    const away = await publisher.publish([message])[0]!.catch(publishFault)
    expect(away).toEqual({ scope: 'transport', retryable: true, mayExist: true })
  })
})
