// Ten cycles of rows written and drained, without and with a snapshot held open all the while: the last as fast as the
// first, and the log no longer than two partitions.
import type { Publisher } from '@waybill/core'
import { startRelay } from '@waybill/outbox-pg'
import { benchDatabase } from './bench-database.ts'
import { Countdown, eventTo, fill, outboxOf } from './outbox-log.ts'
import type { BenchRow } from './row.ts'

const CYCLES = 10
const GOAL = 0.95
const MOST_PARTITIONS = 2

/** @param rows of one cycle */
export async function cycles(rows: number): Promise<BenchRow[]> {
  return [await row(rows, false), await row(rows, true)]
}

async function row(rows: number, snapshot: boolean): Promise<BenchRow> {
  await using database = await benchDatabase(8)
  const { pool, schema } = database
  const outbox = outboxOf(database, 'nowhere')
  const event = eventTo({ kind: 'queue', name: 'bench' })
  let countdown = new Countdown(rows)
  const nowhere: Publisher = {
    capabilities: {},
    publish: (messages) =>
      messages.map(() => {
        countdown.count()
        return Promise.resolve()
      }),
  }
  const client = await pool.connect()
  if (snapshot) await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class')
  const perSecond: number[] = []
  // the first meets cold plans and code, and is not counted
  for (let cycle = 0; cycle <= CYCLES; cycle++) {
    countdown = new Countdown(rows)
    await fill(outbox, event, rows)
    const relay = startRelay({ outbox, pool, schema, transports: { nowhere }, window: 1_000 })
    const startedMs = performance.now()
    await countdown.done
    if (cycle > 0) perSecond.push((1_000 * rows) / (performance.now() - startedMs))
    await relay.stop()
  }
  await client.query('ROLLBACK')
  client.release()
  const partitions = await pool.query(
    `SELECT count(*)::int AS count FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
     WHERE inhparent = '"${schema}".outbox'::regclass AND pg_relation_size(c.oid) > 0`,
  )
  const [first, last] = [perSecond[0]!, perSecond.at(-1)!]
  const count = Number(partitions.rows[0].count)
  return {
    what: `${CYCLES} cycles of ${rows} rows${snapshot ? ', a snapshot open' : ''}`,
    measured: `last ${last.toFixed(0)} rows/s, ${count} partitions with rows`,
    limit: `first ${first.toFixed(0)} rows/s; all: ${perSecond.map((rate) => (rate / 1_000).toFixed(1)).join(', ')} k/s`,
    ratios: [last / first],
    goal: GOAL,
    share: count <= MOST_PARTITIONS ? last / first / GOAL : 0,
  }
}
