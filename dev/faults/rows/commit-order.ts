import { createOutbox } from '@waybill/outbox-pg'
import pg from 'pg'
import { seededRandom } from '../seeded-random.ts'
import { consume, placedIn, relay } from './parts.ts'
import { verdictOf, type Scenario } from './scenario.ts'
import { openWorld, type World } from './world.ts'

const OPEN_AT_ONCE = 40
const ROUNDS = 25
const WRITERS = 16
const KEYS = 40
const COMMITS = 800
const ROLLED_BACK = 0.15
const LONGEST_MS = 20

/** Transactions commit in another order than they wrote in, and leave gaps. */
export const commitOrder: Scenario = {
  row: 35,
  what: 'commits in another order than inserts, rollback gaps, sixteen writers with delays',
  async run({ seed, ...at }) {
    const random = seededRandom(seed * 1_000 + 35)
    await using world = await openWorld(at, { operations: 0, window: 50 })
    const { place } = world
    await using _consumer = await consume(place, () => {})
    await using _relay = relay(place, () => {})
    await using writer = await openWriter(world)
    await writer.reversed([0, 1, 2, 3])
    for (let round = 0; round < ROUNDS; round++) await writer.shuffled(OPEN_AT_ONCE, random)
    await writer.many(random)
    return { verdict: await verdictOf(world), note: `${writer.rolledBack} rolled back` }
  },
}

async function openWriter({ place }: World) {
  const { url, log } = place
  const Placed = placedIn(place)
  const pool = new pg.Pool({ connectionString: url, max: OPEN_AT_ONCE })
  const outbox = createOutbox({ db: pool, source: '/orders', schema: log, transport: 'carrier' })
  await pool.query(`insert into "${log}".counter select key, 0 from generate_series(100, ${99 + KEYS}) key`)
  await pool.query(`create table "${log}".busy (at int)`)
  let ownKey = 1_000
  let rolledBack = 0

  /** An operation under a key of its own, written and left open. */
  const begin = async () => {
    const client = await pool.connect()
    await client.query('begin')
    const order = { op: crypto.randomUUID(), key: ownKey++, number: 1 }
    await client.query(`insert into "${log}".orders values ($1, $2, $3)`, [order.op, order.key, order.number])
    await outbox.in(client).publish(Placed, order)
    return async (how: 'commit' | 'rollback') => {
      await client.query(how)
      if (how === 'rollback') rolledBack++
      client.release()
    }
  }

  return {
    get rolledBack() {
      return rolledBack
    },
    async reversed(order: readonly number[]) {
      const ends = []
      for (const _ of order) ends.push(await begin())
      for (const end of ends.reverse()) await end('commit')
    },
    async shuffled(count: number, random: () => number) {
      const ends = []
      for (let index = 0; index < count; index++) ends.push({ end: await begin(), place: random() })
      ends.sort((left, right) => left.place - right.place)
      for (const { end } of ends) await end(random() < ROLLED_BACK ? 'rollback' : 'commit')
    },
    async many(random: () => number) {
      let commits = 0
      const write = async () => {
        while (commits < COMMITS) {
          const key = 100 + Math.floor(random() * KEYS)
          const done = outbox.transaction(async (trx, messages) => {
            // a transaction id taken before the key's lock: order by it would be the wrong order
            if (random() < 0.5) await trx.query(`insert into "${log}".busy values (1)`)
            const next = `update "${log}".counter set number = number + 1 where key = $1 returning number`
            const number = (await trx.query(next, [key])).rows[0].number as number
            const order = { op: crypto.randomUUID(), key, number }
            await trx.query(`insert into "${log}".orders values ($1, $2, $3)`, [order.op, key, number])
            // half are written at once and committed late, half with COMMIT
            if (random() < 0.5) await outbox.in(trx).publish(Placed, order)
            else messages.publish(Placed, order)
            await trx.query('select pg_sleep($1)', [(random() * LONGEST_MS) / 1_000])
            if (random() < ROLLED_BACK) throw new RolledBack()
          })
          await done.then(
            () => commits++,
            (error: unknown) => {
              if (!(error instanceof RolledBack)) throw error
              rolledBack++
            },
          )
        }
      }
      await Promise.all(Array.from({ length: WRITERS }, write))
    },
    [Symbol.asyncDispose]: () => pool.end(),
  }
}

class RolledBack extends Error {}
