import { createOutbox } from '@waybill/outbox-pg'
import pg from 'pg'
import { consume, placedIn, relay } from './parts.ts'
import { ensure, verdictOf, type Scenario } from './scenario.ts'
import { openWorld, type World } from './world.ts'

const MESSAGES = 300
const HANDLERS = 100
/** The default: a lease is renewed over a connection that has to be waited for. */
const LEASE_MS = 10_000
const LONGEST_WAIT_MS = LEASE_MS

/** Relay, carrier and a hundred handlers share two connections: all of them wait, nobody for ever. */
export const smallPool: Scenario = {
  row: 44,
  what: 'relay and 100 handlers on a pool of two connections: waits end, and nobody blocks another',
  quick: true,
  async run(at) {
    await using world = await openWorld(at, { operations: MESSAGES, window: 100, leaseMs: LEASE_MS })
    await writeAll(world)
    await using shared = measuredPool(world.place.url, 2)
    const handlers = countOpen()
    await using _consumer = await consume(world.place, handlers.reach, { pool: shared.pool, concurrency: HANDLERS })
    await using _relay = relay(world.place, () => {}, { pool: shared.pool })
    const verdict = await verdictOf(world)
    const { most } = handlers
    ensure(most === HANDLERS, `only ${most} handlers were open at once`)
    ensure(shared.longestMs < LONGEST_WAIT_MS, `somebody waited ${shared.longestMs} ms for a connection`)
    return { verdict, note: `the longest wait for a connection was ${Math.round(shared.longestMs)} ms` }
  },
}

/** Each under a key of its own, so that handlers have no other reason to wait. */
async function writeAll({ place, pool }: World): Promise<void> {
  const outbox = createOutbox({ db: pool, source: '/orders', schema: place.log, transport: 'carrier' })
  const Placed = placedIn(place)
  for (let key = 1; key <= MESSAGES; key += HANDLERS) {
    await outbox.transaction(async (trx, messages) => {
      for (let next = key; next < key + HANDLERS; next++) {
        const op = crypto.randomUUID()
        await trx.query(`insert into "${place.log}".orders values ($1, $2, 1)`, [op, next])
        messages.publish(Placed, { op, key: next, number: 1 })
      }
    })
  }
}

function countOpen() {
  let open = 0
  let most = 0
  return {
    reach(point: string) {
      if (point === 'before-inbox') most = Math.max(most, ++open)
      if (point === 'after-inbox') open--
    },
    get most() {
      return most
    },
  }
}

/** A pool that knows how long anybody waited for one of its connections. */
function measuredPool(connectionString: string, max: number) {
  const pool = new pg.Pool({ connectionString, max })
  pool.on('error', () => {})
  let longestMs = 0
  const connect = pool.connect.bind(pool) as (...given: unknown[]) => Promise<pg.PoolClient> | void
  const measured = (callback?: (...given: unknown[]) => void) => {
    const sinceMs = performance.now()
    const got = () => (longestMs = Math.max(longestMs, performance.now() - sinceMs))
    if (callback === undefined) return (connect() as Promise<pg.PoolClient>).finally(got)
    return connect((...given: unknown[]) => {
      got()
      callback(...given)
    })
  }
  pool.connect = measured as typeof pool.connect
  return {
    pool,
    get longestMs() {
      return longestMs
    },
    [Symbol.asyncDispose]: () => pool.end(),
  }
}
