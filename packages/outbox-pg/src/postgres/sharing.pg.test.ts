import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createBus, defineEvent, on } from '@waybill/core'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { createInbox } from '../inbox/inbox.ts'
import { seededRandom } from '../../../../dev/faults/seeded-random.ts'
import { createOutbox } from '../outbox/outbox.ts'
import { testDatabase } from '../test-database.ts'
import { postgres } from './transport.ts'

const KEYS = 20
const BLOWS = 6
/** Ids between two ranges, so many that they are not joined as they are. */
const FAR = 12_000

const Counted = defineEvent('counted', {
  schema: z.object({ key: z.number(), number: z.number() }),
  orderingKey: ({ key }) => String(key),
})

async function fixture() {
  const at = await testDatabase({ max: 30 })
  const { pool, schema } = at
  await pool.query(
    `create table "${schema}".effect (at bigint generated always as identity, key int, number int, who text)`,
  )
  const outbox = createOutbox({ db: pool, source: '/counters', schema, transport: 'postgres' })
  const inbox = createInbox({ db: pool, schema })
  let number = 0
  return {
    ...at,
    /** Writes the next number of each key. */
    async count() {
      number++
      await outbox.transaction(async (_trx, messages) => {
        for (let key = 0; key < KEYS; key++) messages.publish(Counted, { key, number })
      })
      return number
    },
    /** One more instance of the service. */
    async join(who: string) {
      const bus = createBus({ transport: postgres({ pool, schema, leaseMs: 1_000, pollMs: 20 }), source: '/effects' })
      await bus.subscribe(
        'effects',
        [
          on(
            Counted,
            inbox.once(async ({ key, number }, { trx }) => {
              await trx.query(`insert into "${schema}".effect (key, number, who) values ($1, $2, $3)`, [
                key,
                number,
                who,
              ])
            }),
          ),
        ],
        { concurrency: 4 },
      )
      return bus
    },
    async ranges() {
      const { rows } = await pool.query(
        `select buckets::text, leased_until > now() as held from "${schema}".reader where name = 'service/effects' order by lower(buckets)`,
      )
      return rows.map(({ buckets, held }) => `${buckets}${held ? '' : ' free'}`)
    },
    /** Who handled numbers from this one on. */
    async handlers(from: number) {
      const { rows } = await pool.query(`select distinct who from "${schema}".effect where number >= $1 order by 1`, [
        from,
      ])
      return rows.map(({ who }) => who as string)
    },
    /** Each key's numbers in the order of their effects. */
    async effects() {
      const { rows } = await pool.query(
        `select array_agg(number order by at) as numbers from "${schema}".effect group by key`,
      )
      return rows.map(({ numbers }) => numbers as number[])
    },
  }
}

const upTo = (last: number) => Array.from({ length: KEYS }, () => Array.from({ length: last }, (_, index) => index + 1))

test('one alone holds all; two and four share, each handles some; when they leave, all comes together again', async () => {
  await using at = await fixture()
  await using first = await at.join('a')
  for (let round = 0; round < 5; round++) await at.count()
  await expect.poll(at.effects, { timeout: 10_000 }).toEqual(upTo(5))
  expect(await at.ranges()).toEqual(['[0,16)'])

  await using second = await at.join('b')
  await expect.poll(at.ranges, { timeout: 10_000 }).toEqual(['[0,8)', '[8,16)'])
  await at.count()
  await expect.poll(() => at.handlers(6), { timeout: 10_000 }).toEqual(['a', 'b'])

  await using third = await at.join('c')
  await using fourth = await at.join('d')
  await expect.poll(at.ranges, { timeout: 10_000 }).toEqual(['[0,4)', '[4,8)', '[8,12)', '[12,16)'])
  await at.count()
  await expect.poll(() => at.handlers(7), { timeout: 10_000 }).toEqual(['a', 'b', 'c', 'd'])

  await second.stop()
  await first.stop()
  await expect.poll(async () => (await at.ranges()).length, { timeout: 10_000 }).toBe(2)
  await at.count()
  await expect.poll(() => at.handlers(8), { timeout: 10_000 }).toEqual(['c', 'd'])
  await third.stop()
  await expect.poll(at.ranges, { timeout: 10_000 }).toEqual(['[0,16)'])
  const last = await at.count()
  await expect.poll(at.effects, { timeout: 10_000 }).toEqual(upTo(last))
  await fourth.stop()
})

test('a range that is left far behind is read before the one beside it goes on, and then they are one', async () => {
  await using at = await fixture()
  const { pool, schema } = at
  const reader = `"${schema}".reader`
  await at.count()
  // of another carrier, so that there is much to pass by
  await pool.query(
    `insert into "${schema}".outbox (message_id, transport, kind, destination, type, bucket, attributes, content_type)
     select 'm' || n, 'other', 'topic', 'other', 'other', 0, '{}', '' from generate_series(1, ${FAR}) n`,
  )
  await at.count()
  // whoever had the upper half stopped answering before the first message; the lower half was left in the midst of it all
  await pool.query(
    `insert into ${reader} (name, kind, buckets, position, open, leased_by, leased_until)
     values ('service/effects', 'service', '[0,8)', ${KEYS}, '{}', null, null),
       ('service/effects', 'service', '[8,16)', 0, '{}', 'gone', clock_timestamp() + interval '1 min')`,
  )
  await using instance = await at.join('a')
  const positions = async () =>
    (await pool.query(`select position::int from ${reader} where name like 'service/%'`)).rows
  await expect
    .poll(async () => (await positions()).some(({ position }) => position > FAR), { timeout: 10_000 })
    .toBe(true)
  await pool.query(`update ${reader} set leased_until = clock_timestamp() where leased_by = 'gone'`)
  await expect.poll(at.ranges, { timeout: 15_000 }).toEqual(['[0,16)'])
  const last = await at.count()
  const done = async () => (await at.effects()).filter((numbers) => numbers.at(-1) === last).length
  await expect.poll(done, { timeout: 10_000 }).toBe(KEYS)
  // of the lower half the first was settled, as its position said
  expect(new Set((await at.effects()).map(String))).toEqual(new Set(['2,3', '1,2,3']))
  await instance.stop()
})

test(
  'instances come, go and are killed at random: each effect once, keys in order, no range left behind',
  { timeout: 120_000 },
  async () => {
    await using at = await fixture()
    const { schema } = at
    const seed = Number(process.env.SEED ?? 3)
    const random = seededRandom(seed)
    const script = fileURLToPath(new URL('../../../../dev/faults/sharing-process.ts', import.meta.url))
    const resolve = new URL('../../../../dev/faults/resolve-sources.ts', import.meta.url).href
    const running: ChildProcess[] = []
    const start = async () => {
      const env = { ...process.env, SCHEMA: schema }
      const child = spawn(process.execPath, ['--import', resolve, script], {
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      running.push(child)
      await once(child.stdout, 'data')
    }
    const end = async (child: ChildProcess, signal: 'SIGKILL' | 'SIGTERM') => {
      const ended = once(child, 'exit')
      if (child.kill(signal)) await ended
    }
    const kills = { SIGKILL: 0, SIGTERM: 0 }
    let over = false
    let last = 0
    const counting = (async () => {
      while (!over) {
        last = await at.count()
        await at.pool.query('select pg_sleep(0.1)')
      }
    })()
    let most = 0
    try {
      await Promise.all([start(), start()])
      for (let blow = 0; blow < BLOWS; blow++) {
        await at.pool.query('select pg_sleep($1)', [0.1 + random() * 0.9])
        most = Math.max(most, (await at.ranges()).length)
        if (running.length < 2 || (running.length < 5 && random() < 0.5)) {
          await start()
          continue
        }
        const [child] = running.splice(Math.floor(random() * running.length), 1)
        const signal = random() < 0.6 ? 'SIGKILL' : 'SIGTERM'
        kills[signal]++
        await end(child!, signal)
      }
      over = true
      await counting
      await expect
        .poll(async () => (await at.effects()).flat().length, { timeout: 30_000, interval: 200 })
        .toBeGreaterThanOrEqual(KEYS * last)
      expect(await at.effects(), `seed ${seed}`).toEqual(upTo(last))
      expect(most).toBeGreaterThan(1)
      expect(kills.SIGKILL).toBeGreaterThan(0)
      while (running.length > 1) {
        await end(running.pop()!, 'SIGTERM')
      }
      await expect.poll(at.ranges, { timeout: 20_000 }).toEqual(['[0,16)'])
    } finally {
      over = true
      await counting
      await Promise.all(running.map((child) => end(child, 'SIGKILL')))
    }
  },
)
