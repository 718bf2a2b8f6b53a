import fc from 'fast-check'
import { expect, test } from 'vitest'
import { runInOnePacket, takesPackets } from './one-packet.ts'
import type { PgClient } from './database.ts'
import { testDatabase } from './test-database.ts'

const RUNS = 200

async function session() {
  const database = await testDatabase()
  const client = (await database.pool.connect()) as unknown as PgClient
  return {
    client,
    async [Symbol.asyncDispose]() {
      client.release(true)
      await database[Symbol.asyncDispose]()
    },
  }
}

test('statements run one after another, and each has its result', async () => {
  await using test = await session()
  expect(takesPackets(test.client)).toBe(true)
  const results = await runInOnePacket(test.client, [
    { text: 'CREATE TEMP TABLE seen (id int PRIMARY KEY, text text)' },
    { text: 'INSERT INTO seen SELECT n, $1 FROM generate_series(1, 2) AS n', values: ['b'] },
    { name: 'seen', text: 'SELECT id, text FROM seen WHERE id > $1 ORDER BY id', values: [0] },
  ])
  expect(results).toEqual([
    { command: 'CREATE', rows: [] },
    { command: 'INSERT', rows: [] },
    {
      command: 'SELECT',
      rows: [
        ['1', 'b'],
        ['2', 'b'],
      ],
    },
  ])
  expect((await test.client.query('SELECT count(*)::int AS n FROM seen')).rows).toEqual([{ n: 2 }])
})

test('after one that fails none is run, and what was prepared before is known to the next packet', async () => {
  await using test = await session()
  await test.client.query('CREATE TEMP TABLE seen (id int PRIMARY KEY)')
  const insert = (id: number) => ({ name: 'insert', text: 'INSERT INTO seen VALUES ($1)', values: [id] })
  const commit = { name: 'commit', text: 'COMMIT' }
  await test.client.query('BEGIN')
  await runInOnePacket(test.client, [insert(1), commit])
  await test.client.query('BEGIN')
  await expect(
    runInOnePacket(test.client, [{ text: 'INSERT INTO seen VALUES (2)' }, insert(1), commit]),
  ).rejects.toMatchObject({ code: '23505' })
  await expect(test.client.query('SELECT')).rejects.toMatchObject({ code: '25P02' })
  await test.client.query('ROLLBACK')
  // the first use of a name fails only after it was prepared
  const late = (id: number) => ({ ...insert(id), name: 'late' })
  await expect(runInOnePacket(test.client, [late(1)])).rejects.toMatchObject({ code: '23505' })
  await runInOnePacket(test.client, [late(3)])
  expect((await test.client.query('SELECT id FROM seen ORDER BY id')).rows).toEqual([{ id: 1 }, { id: 3 }])
})

test('a name whose text can not be prepared is tried again', async () => {
  await using test = await session()
  const read = { name: 'read', text: 'SELECT id FROM later' }
  await expect(runInOnePacket(test.client, [read])).rejects.toMatchObject({ code: '42P01' })
  await test.client.query('CREATE TEMP TABLE later (id int)')
  expect(await runInOnePacket(test.client, [read, read])).toEqual([
    { command: 'SELECT', rows: [] },
    { command: 'SELECT', rows: [] },
  ])
})

test('values arrive as pg itself would have sent them', async () => {
  await using test = await session()
  const word = fc.option(fc.string({ unit: 'grapheme' }))
  const text = `SELECT $1::text[] AS words, $2::bytea[] AS bytes, $3::int AS number, $4::bool AS flag, $5::bytea AS body`
  await fc.assert(
    fc.asyncProperty(
      fc.array(word),
      fc.array(fc.option(fc.uint8Array()).map((bytes) => bytes && Buffer.from(bytes))),
      fc.integer({ min: -1e9, max: 1e9 }),
      fc.boolean(),
      fc.uint8Array(),
      async (words, bytes, number, flag, body) => {
        const values = [words, bytes, number, flag, Buffer.from(body)]
        const { rows } = await test.client.query(
          `SELECT ROW(words::text, bytes::text, number, flag, body)::text AS all FROM (${text}) AS given`,
          values,
        )
        const packet = `SELECT ROW(words::text, bytes::text, number, flag, body)::text FROM (${text}) AS given`
        const [result] = await runInOnePacket(test.client, [{ text: packet, values }])
        expect(result!.rows).toEqual([[(rows[0] as { all: string }).all]])
      },
    ),
    { numRuns: RUNS },
  )
})

test('a line that breaks ends the packet', async () => {
  await using test = await session()
  const { rows } = await test.client.query('SELECT pg_backend_pid() AS pid')
  const running = runInOnePacket(test.client, [{ text: 'SELECT pg_terminate_backend($1)', values: [rows[0].pid] }])
  await expect(running).rejects.toMatchObject({ code: '57P01' })
})

test('who can not be sent packets is not', () => {
  const query = () => Promise.resolve({ rows: [] })
  expect(takesPackets({ query, release: () => undefined })).toBe(false)
})
