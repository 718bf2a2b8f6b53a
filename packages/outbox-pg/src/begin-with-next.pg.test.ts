import { once, type EventEmitter } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import fc from 'fast-check'
import pg from 'pg'
import { expect, test, vi } from 'vitest'
import type { PgClient } from './database.ts'
import { fromPool } from './pg-database.ts'
import { testDatabase } from './test-database.ts'
import { protocolMessage } from './test-protocol.ts'

/** A pool of one session, its database, and how often the session was written to. */
async function oneSession() {
  const database = await testDatabase()
  const pool = new pg.Pool({ connectionString: database.connectionString, max: 1 })
  const client = await pool.connect()
  const { stream } = (client as unknown as { connection: { stream: object } }).connection
  const write = vi.spyOn(stream as { _write(): void; _writev(): void }, '_write')
  const writev = vi.spyOn(stream as { _writev(): void }, '_writev')
  client.release()
  return {
    ...database,
    database: fromPool(pool),
    packets: () => write.mock.calls.length + writev.mock.calls.length,
    async [Symbol.asyncDispose]() {
      await pool.end()
      await database[Symbol.asyncDispose]()
    },
  }
}

type Shape = 'text' | 'several' | 'values' | 'named' | 'failing' | 'unwritable'

/** What a user may give a client, and its result in a word. */
const QUERIES: Readonly<Record<Shape, (client: PgClient) => Promise<unknown>>> = {
  text: async (client) => (await client.query('select 1 as one')).rows,
  several: async (client) => {
    const results = (await client.query('select 1 as one; select 2 as two')) as unknown as pg.QueryResult[]
    return results.map(({ rows }) => rows as unknown)
  },
  values: async (client) => (await client.query('select $1::int as n', [3])).rows,
  named: async (client) => {
    const { rows } = await (client as unknown as pg.PoolClient).query({
      name: 'n',
      text: 'select $1::text',
      values: ['n'],
    })
    return rows
  },
  failing: (client) => client.query('select 1 / $1::int', [0]).catch(({ code }: { code: string }) => code),
  unwritable: (client) => {
    const circle: { self?: unknown } = {}
    circle.self = circle
    return client.query('select $1', [circle]).catch((error: Error) => error.constructor.name)
  },
}

test('queries of any shape come to the same with BEGIN before them, or alone', async () => {
  await using at = await oneSession()
  const shapes = fc.array(fc.constantFrom(...(Object.keys(QUERIES) as Shape[])), { maxLength: 4 })
  await fc.assert(
    fc.asyncProperty(shapes, fc.boolean(), async (given, later) => {
      const run = async (begins: boolean) => {
        const results: unknown[] = []
        const work = async (client: PgClient) => {
          if (later) await new Promise(setImmediate)
          for (const shape of given) {
            results.push(await QUERIES[shape](client))
            if (shape === 'failing') throw new Error('rolled back')
          }
        }
        const done = begins ? at.database.transaction({ work }) : transactionByHand(at.pool, work)
        return [await done.then(String, String), results]
      }
      expect(await run(true)).toEqual(await run(false))
    }),
    { numRuns: 60 },
  )
})

async function transactionByHand(pool: pg.Pool, work: (client: PgClient) => Promise<void>): Promise<void> {
  const client = (await pool.connect()) as unknown as PgClient
  try {
    await client.query('BEGIN')
    await work(client)
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK')
    throw error
  } finally {
    client.release()
  }
}

test('BEGIN shares the packet of the first statement, or of the last where there is no other', async () => {
  await using at = await oneSession()
  const packetsOf = async (work: (client: PgClient) => Promise<unknown>, statement?: string) => {
    const before = at.packets()
    await at.database.transaction({ work, ...(statement && { last: () => [{ text: statement }] }) })
    return at.packets() - before
  }
  expect(await packetsOf((client) => client.query('select 1'))).toBe(2)
  expect(await packetsOf((client) => client.query('select $1::int', [1]), 'select 2')).toBe(2)
  expect(await packetsOf(async () => {}, 'select 2')).toBe(1)
})

test('all that is done is in the transaction, the first statement too', async () => {
  await using at = await oneSession()
  await at.pool.query(`create table "${at.schema}".effect (number int)`)
  const insert = `insert into "${at.schema}".effect values (1)`
  const failing = at.database.transaction({
    work: async (client) => {
      await client.query(insert)
      throw new Error('no')
    },
  })
  await expect(failing).rejects.toThrow('no')
  expect((await at.pool.query(`select from "${at.schema}".effect`)).rowCount).toBe(0)
})

test('work that waits before its first statement is a session that is idle in its transaction', async () => {
  await using at = await oneSession()
  await at.database.transaction({
    work: async (client) => {
      const { processID } = client as unknown as { processID: number }
      const state = async () =>
        (await at.pool.query('select state from pg_stat_activity where pid = $1', [processID])).rows[0].state as string
      await expect.poll(state).toBe('idle in transaction')
      expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    },
  })
})

test.for(['at once', 'later'])(
  'when BEGIN fails nothing is run outside a transaction: a statement %s',
  async (when) => {
    const sessions: Socket[] = []
    const read: string[] = []
    const server = createServer((socket) => {
      sessions.push(socket)
      socket.on('error', () => {})
      socket.once('data', () => {
        socket.write(Buffer.concat([protocolMessage('R', Buffer.alloc(4)), protocolMessage('Z', 'I')]))
        socket.on('data', (data: Buffer) => {
          if (read.push(data.toString('latin1')) === 1) {
            socket.write(
              Buffer.concat([
                protocolMessage('E', 'SERROR\0C57014\0Mcanceling statement\0\0'),
                protocolMessage('Z', 'I'),
              ]),
            )
          }
        })
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const pool = new pg.Pool({ host: '127.0.0.1', port, user: 'nobody', database: 'none', max: 1 })
    const transaction = fromPool(pool).transaction({
      work: async (client) => {
        const ended = new Promise((resolve) => (client as unknown as EventEmitter).once('error', resolve))
        if (when === 'later') await ended
        await client.query('delete from rental')
      },
    })
    await expect(transaction).rejects.toThrow(when === 'later' ? /not queryable|terminated/ : 'canceling statement')
    await vi.waitFor(() => expect(sessions.map(({ closed }) => closed)).toEqual([true]))
    expect(read.filter((packet) => packet.includes('BEGIN') || packet.includes('delete'))).toEqual([
      expect.stringContaining('BEGIN'),
    ])
    expect(pool.totalCount).toBe(0)
    await pool.end()
    server.close()
  },
)
