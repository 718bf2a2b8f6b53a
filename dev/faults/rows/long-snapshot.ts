import { setTimeout as pause } from 'node:timers/promises'
import { startRelay } from '@waybill/outbox-pg'
import pg from 'pg'
import { explainRead, rememberReads } from './explain-read.ts'
import { consume, relay } from './parts.ts'
import { ensure, produceUntil, verdictOf, type Scenario } from './scenario.ts'
import { openWorld, type World } from './world.ts'

const OPERATIONS = 3_000
/** The end of each partition's index, and a little: nothing that grows with what was read. */
const MOST_BUFFERS = 40

/** A dump holds its snapshot while messages come and go: nothing waits for it, and no read walks over what is settled. */
export const longSnapshot: Scenario = {
  row: 34,
  what: 'a read-only snapshot held open: no stall, reads by index alone',
  async run({ seed, ...at }) {
    await using world = await openWorld(at, { operations: 0, window: 50 })
    const { place, pool } = world
    await using _consumer = await consume(place, () => {})
    await using _relay = relay(place, () => {})
    const dump = new pg.Client({ connectionString: place.url })
    await dump.connect()
    try {
      await dump.query('begin isolation level repeatable read read only')
      await dump.query(`select count(*) from "${place.log}".outbox`)
      let written = 0
      const counting = (async () => {
        for (; written < OPERATIONS; await pause(50)) {
          written = Number((await pool.query(`select count(*) as count from "${place.log}".orders`)).rows[0].count)
        }
      })()
      await Promise.all([counting, produceUntil(world, () => written >= OPERATIONS)])
      const verdict = await verdictOf(world)
      // as autovacuum does within a minute: of a small table without statistics the server reads all
      await pool.query(`analyze "${place.log}".outbox`)
      const { buffers, wholeScans } = await lastRead(world)
      ensure(wholeScans.length === 0, `the log is read without its index: ${wholeScans.join(', ')}`)
      ensure(buffers <= MOST_BUFFERS, `an empty read looks at ${buffers} pages`)
      const { rows } = await pool.query(`select pg_total_relation_size('"${place.log}".reader')::int / 1024 as kib`)
      return {
        verdict,
        note: `an empty read looks at ${buffers} pages; the readers' table has ${rows[0].kib} KiB`,
      }
    } finally {
      await dump.end()
    }
  },
}

/** The read at the end of the log, by another reader that has come there. */
async function lastRead({ place: { log }, pool }: World) {
  const reads = rememberReads(pool)
  const probe = { publish: (messages: readonly unknown[]) => messages.map(() => Promise.resolve()) }
  await using _relay = startRelay({ pool: reads.pool, schema: log, pollMs: 20, transports: { probe } })
  for (;;) {
    const { rows } = await pool.query(`select position::int, (select max(id)::int from "${log}".outbox) as last
      from "${log}".reader where name = 'relay/probe'`)
    if (rows[0]?.position === rows[0]?.last && rows.length > 0)
      return await explainRead(pool, reads.last()!, rows[0].last)
    await pause(20)
  }
}
