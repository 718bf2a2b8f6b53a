import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createBus, defineEvent, type ParkedMessage } from '@waybill/core'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { testDatabase } from '../test-database.ts'
import { postgres } from './transport.ts'

const MESSAGES = 50
const POISON = 17

const script = fileURLToPath(new URL('../../../../dev/faults/crash-process.ts', import.meta.url))
const resolve = new URL('../../../../dev/faults/resolve-sources.ts', import.meta.url).href

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const value of values) list.push(value)
  return list
}

test.for(['no', 'yes'] as const)(
  'a message that kills its process is parked after a few starts, and no neighbour pays (keyed: %s)',
  { timeout: 60_000 },
  async (keyed) => {
    await using database = await testDatabase()
    const { pool, schema } = database
    await pool.query(`create table "${schema}".started (n int, pid int)`)
    await pool.query(`create table "${schema}".effect (n int)`)
    const Job = defineEvent('job', {
      schema: z.object({ n: z.number() }),
      ...(keyed === 'yes' && { orderingKey: ({ n }: { n: number }) => String(n % 7) }),
    })
    await using bus = createBus({ transport: postgres({ pool, schema }), source: '/jobs' })
    for (let n = 0; n < MESSAGES; n++) await bus.publish(Job, { n })

    const stop = new AbortController()
    const parked: ParkedMessage[] = []
    const transport = postgres({ pool, schema })
    // whoever was killed is started again, as an operator's supervisor does
    const supervised = (async () => {
      let starts = 0
      while (!stop.signal.aborted && starts < 12) {
        starts++
        const env = { ...process.env, SCHEMA: schema, KEYED: keyed, POISON: String(POISON) }
        const child = spawn(process.execPath, ['--import', resolve, script], {
          env,
          stdio: ['ignore', 'ignore', 'inherit'],
        })
        const end = () => child.kill('SIGKILL')
        stop.signal.addEventListener('abort', end)
        await once(child, 'exit')
        stop.signal.removeEventListener('abort', end)
      }
      return starts
    })()
    try {
      await expect
        .poll(
          async () => {
            parked.splice(0, Infinity, ...(await all(transport.parked!.list())))
            const { rows } = await pool.query(`select count(*)::int as count from "${schema}".effect`)
            // what was counted is forgotten once it is settled
            const { rows: readers } = await pool.query(`select starts from "${schema}".reader`)
            return [parked.length, rows[0].count, readers[0].starts]
          },
          { timeout: 50_000, interval: 100 },
        )
        .toEqual([1, MESSAGES - 1, {}])
    } finally {
      stop.abort()
      await supervised
      await transport[Symbol.asyncDispose]()
    }
    expect(new TextDecoder().decode(parked[0]!.message.body!)).toBe(JSON.stringify({ n: POISON }))
    expect(parked[0]!.reason).toContain('processes that ended')
    const { rows: effects } = await pool.query(`select n from "${schema}".effect order by n`)
    expect(effects.map(({ n }) => n)).toEqual(Array.from({ length: MESSAGES }, (_, n) => n).filter((n) => n !== POISON))
    const { rows: started } = await pool.query(
      `select count(*)::int as count from "${schema}".started where n = ${POISON}`,
    )
    // unknown, in a wave, alone by the carrier, alone by the core
    expect(started[0].count).toBe(4)
  },
)
