import { createOutbox, logStatus } from '@waybill/outbox-pg'
import pg from 'pg'
import { consume, placedIn, produce, relay } from './parts.ts'
import { CannotRunHere, ensure, verdictOf, type Scenario } from './scenario.ts'
import { judge } from './verdict.ts'
import { openWorld, type World } from './world.ts'

const OPERATIONS = 100

/** Writers that do not commit: here, in another database, and as a prepared transaction. */
export const longWriter: Scenario = {
  row: 33,
  what: 'writers that stay open, here, in another database and prepared: others flow, status names them',
  quick: true,
  async run({ seed, ...at }) {
    await using world = await openWorld(at, { operations: OPERATIONS, window: 20 })
    const { place, pool } = world
    await using _consumer = await consume(place, () => {})
    await using _relay = relay(place, () => {})
    await using elsewhere = await writerElsewhere(world)
    await using here = await writerHere(world, 901)
    await using prepared = await writerHere(world, 902)
    await prepared.prepare()
    await produce(place, () => {})
    const open = await verdictOf(world)
    ensure(open.committed >= OPERATIONS && open.lost === 0, `messages of others waited: ${JSON.stringify(open)}`)
    const { writers } = await logStatus({ pool, schema: place.log })
    const named = writers.find(({ pid }) => pid === here.pid)
    ensure(
      named?.ageSeconds !== undefined && named.ageSeconds !== null,
      'status does not name the open writer by pid and age',
    )
    ensure(
      writers.some(({ gid, ageSeconds }) => gid === prepared.gid && ageSeconds !== null),
      'status does not name the prepared transaction',
    )
    await elsewhere.end()
    await here.commit()
    await prepared.commit()
    const verdict = await verdictOf(world)
    ensure((await judge(pool, place)).committed === open.committed + 2, 'the late writers did not commit')
    return { verdict }
  },
}

/** A transaction with an operation of its own, written and not committed. */
async function writerHere({ place, pool }: World, key: number) {
  const { url, log } = place
  const client = new pg.Client({ connectionString: url, application_name: `writer ${key}` })
  await client.connect()
  const outbox = createOutbox({ db: pool, source: '/orders', schema: log, transport: 'carrier' })
  const { rows } = await client.query('select pg_backend_pid() as pid')
  const gid = `${log}/${key}`
  await client.query('begin')
  const order = { op: crypto.randomUUID(), key, number: 1 }
  await client.query(`insert into "${log}".orders values ($1, $2, 1)`, [order.op, key])
  await outbox.in(client).publish(placedIn(place), order)
  let isPrepared = false
  return {
    pid: rows[0].pid as number,
    gid,
    async prepare() {
      await client.query(`prepare transaction '${gid}'`).catch((error: { code?: string }) => {
        if (error.code !== '55000') throw error
        throw new CannotRunHere('PostgreSQL has max_prepared_transactions = 0')
      })
      isPrepared = true
    },
    async commit() {
      await client.query(isPrepared ? `commit prepared '${gid}'` : 'commit')
      isPrepared = false
    },
    async [Symbol.asyncDispose]() {
      if (isPrepared) await client.query(`rollback prepared '${gid}'`)
      await client.end()
    },
  }
}

/** A transaction in another database that has written something. */
async function writerElsewhere({ place, pool }: World) {
  const name = `${place.log}_other`
  await pool.query(`create database "${name}"`)
  const url = new URL(place.url)
  url.pathname = `/${name}`
  const client = new pg.Client({ connectionString: url.href })
  await client.connect()
  await client.query('begin; create table busy (at int)')
  return {
    end: () => client.query('rollback'),
    async [Symbol.asyncDispose]() {
      await client.end()
      await pool.query(`drop database "${name}"`)
    },
  }
}
