import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineEvent } from '@waybill/core'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { createOutbox } from '../outbox/outbox.ts'
import { testDatabase } from '../test-database.ts'

const KEYS = 40
const WRITERS = 16
/** However slow the machine, this much is written and the relay is killed this often. */
const COMMITS = 800
const KILLS = 5

const Counted = defineEvent('counted', {
  schema: z.object({ key: z.number(), number: z.number() }),
  orderingKey: ({ key }) => String(key),
})

/** Node resolves the core to its sources, as the tests do. */
const resolveCore = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module'
  registerHooks({ resolve: (name, context, next) =>
    name === '@waybill/core' ? next(${JSON.stringify(new URL('../../../core/src/index.ts', import.meta.url).href)}, context) : next(name, context) })
`)}`

test('sixteen writers, late commits, rollbacks, a relay killed again and again: none lost, keys in order', async () => {
  await using database = await testDatabase({ max: WRITERS + 2 })
  const { pool, schema } = database
  const folder = mkdtempSync(join(tmpdir(), 'waybill-'))
  const file = join(folder, 'carrier')
  const outbox = createOutbox({ db: pool, source: '/counters', schema, transport: 'one' })
  await pool.query(`create table "${schema}".counter as select key, 0 as number from generate_series(1, ${KEYS}) key`)
  await pool.query(`create table "${schema}".busy (at int)`)

  let child: ChildProcess | undefined
  const start = () => {
    const script = fileURLToPath(new URL('relay-process.ts', import.meta.url))
    const env = { ...process.env, SCHEMA: schema, FILE: file }
    child = spawn(process.execPath, ['--import', resolveCore, script], { env, stdio: ['ignore', 'ignore', 'inherit'] })
  }
  const committed: string[] = []
  let kills = 0
  const running = () => committed.length < COMMITS || kills < KILLS
  const write = async () => {
    while (running()) {
      const key = 1 + Math.floor(Math.random() * KEYS)
      let line = ''
      const done = outbox.transaction(async (trx, messages) => {
        // a transaction id taken before the key's lock: order by it would be the wrong order
        if (Math.random() < 0.5) await trx.query(`insert into "${schema}".busy values (1)`)
        const { rows } = await trx.query(
          `update "${schema}".counter set number = number + 1 where key = $1 returning number`,
          [key],
        )
        const counted = { key, number: rows[0].number as number }
        line = JSON.stringify(counted)
        // half are written at once and committed late, half with COMMIT
        if (Math.random() < 0.5) await outbox.in(trx).publish(Counted, counted)
        else messages.publish(Counted, counted)
        await trx.query('select pg_sleep($1)', [Math.random() * 0.02])
        if (Math.random() < 0.15) throw new Error('rolled back, as planned')
      })
      await done.then(
        () => committed.push(line),
        (error: Error) => expect(error.message).toBe('rolled back, as planned'),
      )
    }
  }
  try {
    start()
    const killing = (async () => {
      while (running()) {
        await pool.query('select pg_sleep($1)', [0.4 + Math.random() * 0.4])
        child!.kill('SIGKILL')
        kills++
        start()
      }
    })()
    await Promise.all([killing, ...Array.from({ length: WRITERS }, write)])
    const lines = () => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [])
    await expect
      .poll(() => new Set(lines()).size, { timeout: 20_000, interval: 100 })
      .toBeGreaterThanOrEqual(committed.length)
    const firsts = [...new Set(lines())]
    expect(new Set(firsts)).toEqual(new Set(committed))
    for (let key = 1; key <= KEYS; key++) {
      const numbers = firsts
        .map((line) => JSON.parse(line))
        .filter((line) => line.key === key)
        .map(({ number }) => number)
      expect(numbers).toEqual(numbers.toSorted((left, right) => left - right))
    }
  } finally {
    child?.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
})
