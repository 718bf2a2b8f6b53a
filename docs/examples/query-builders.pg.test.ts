import { randomBytes } from 'node:crypto'
import { defineEvent } from '@waybill/core'
import { createOutbox, migrate } from '@waybill/outbox-pg'
import { Pool, type PoolClient } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { fromDrizzle, fromKnex } from './query-builders.ts'

const Booked = defineEvent('rental.booked', { schema: z.object({ rentalId: z.string() }) })
const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 2 })
const schema = `docs_${randomBytes(6).toString('hex')}`

beforeAll(async () => void (await migrate({ pool, schema })))
afterAll(async () => {
  await pool.query(`drop schema "${schema}" cascade`)
  await pool.end()
})

/** By Knex's documented face: `?` stands for a value, and as many are wanted as given. */
const knexLike = (client: PoolClient) => ({
  raw(sql: string, bindings: readonly unknown[]) {
    let place = 0
    const text = sql.replaceAll('?', () => `$${++place}`)
    if (place !== bindings.length) throw new Error(`expected ${bindings.length} bindings, saw ${place}`)
    return client.query(text, [...bindings])
  },
})

/** By Drizzle's documented face: chunks of text and parameters, numbered when they are put together. */
type Chunk = { readonly text: string } | { readonly value: unknown } | { readonly chunks: readonly Chunk[] }
const sqlLike = {
  raw: (text: string): Chunk => ({ text }),
  param: (value: unknown): Chunk => ({ value }),
  join: (chunks: unknown[]): Chunk => ({ chunks: chunks as Chunk[] }),
}
const drizzleLike = (client: PoolClient) => ({
  execute(query: Chunk) {
    const values: unknown[] = []
    const textOf = (chunk: Chunk): string => {
      if ('text' in chunk) return chunk.text
      return 'value' in chunk ? `$${values.push(chunk.value)}` : chunk.chunks.map(textOf).join('')
    }
    const text = textOf(query)
    return client.query(text, values)
  },
})

test.each([
  ['Knex', (client: PoolClient) => fromKnex(knexLike(client))],
  ['Drizzle', (client: PoolClient) => fromDrizzle(drizzleLike(client), sqlLike)],
])('a transaction by the shape of %s: with it its messages exist or do not', async (name, wrap) => {
  const outbox = createOutbox({ db: pool, source: '/rentals', schema, keyLock: true })
  const client = await pool.connect()
  const publish = async (rentalId: string) => {
    const messages = outbox.in(wrap(client))
    await messages.publish(Booked, { rentalId })
    // these travel in arrays
    await messages.publish(Booked, { rentalId: `${rentalId} once` }, { dedupeKey: `${name} ${rentalId}` })
    await messages.publish(Booked, { rentalId: `${rentalId} twice` }, { dedupeKey: `${name} ${rentalId}` })
    await messages.publish(Booked, { rentalId }, { deliverAt: new Date(Date.now() + 60_000) })
  }
  try {
    await expect(outbox.in(wrap(client)).publish(Booked, { rentalId: '0' })).rejects.toMatchObject({
      code: 'TRANSACTION',
    })
    await client.query('begin')
    await publish('gone')
    await client.query('rollback')
    await client.query('begin')
    await publish(name)
    await client.query('commit')
  } finally {
    client.release()
  }
  const { rows } = await pool.query(`select body_text from "${schema}".outbox order by id`)
  const bodies = rows.map(({ body_text }) => JSON.parse(body_text).rentalId)
  expect(bodies.filter((rentalId) => rentalId.startsWith(name))).toEqual([name, `${name} once`])
  expect(bodies).not.toContain('gone')
  const waiting = await pool.query(`select from "${schema}".outbox_scheduled where body_text like '%' || $1 || '%'`, [
    name,
  ])
  expect(waiting.rowCount).toBe(1)
})
