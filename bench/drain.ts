// PostgreSQL as carrier to a handler in this process, beside reading the same rows by their position and nothing else.
import { createBus, on } from '@waybill/core'
import { postgres } from '@waybill/outbox-pg'
import { cpuText, timedAtServer } from './backend-cpu.ts'
import { benchDatabase, type BenchDatabase } from './bench-database.ts'
import { Countdown, eventTo, fill, outboxOf } from './outbox-log.ts'
import { inRounds, middle, shown, timed, type Run } from './pairs.ts'
import type { BenchRow } from './row.ts'

const ROWS = 50_000
const BATCH = 1_000
export const LEAST_PER_SECOND = 40_000
const MOST_NODE_MICROS = 30
const MOST_SERVER_MICROS = 5

/** A way to run again and again: commits rows, then times them on their way to the handler of a new service. */
export function toHandler(database: BenchDatabase, rows: number) {
  const { pool, schema } = database
  const outbox = outboxOf(database, 'postgres')
  const event = eventTo({ name: 'bench' })
  let service = 0
  return async (): Promise<Run> => {
    const countdown = new Countdown(rows)
    const name = `bench-${service++}`
    const bus = createBus({ transport: postgres({ pool, schema, outbox }), source: '/bench' })
    // its reader begins here: the rows of before are not its own
    await (
      await bus.subscribe(name, [on(event, () => countdown.count())], { start: 'latest', concurrency: 100 })
    ).stop()
    await fill(outbox, event, rows)
    const work = async () => {
      await bus.subscribe(name, [on(event, () => countdown.count())], { concurrency: 100 })
      await countdown.done
      return rows
    }
    const figure = await timedAtServer(database, work, 0)
    await bus.stop()
    return figure
  }
}

export async function drain(pairs: number): Promise<BenchRow[]> {
  await using database = await benchDatabase(6)
  const { pool, schema } = database
  const handled = toHandler(database, ROWS)
  const bare = async (): Promise<Run> => {
    const { rows } = await pool.query(`SELECT coalesce(max(id), 0) - ${ROWS} AS position FROM "${schema}".outbox`)
    let position = String(rows[0].position)
    return timed(async () => {
      for (let left = ROWS; left > 0;) {
        const read = await pool.query({
          name: 'bench-read',
          text: `SELECT id, message_id, type, ordering_key, attributes, headers, body_text FROM "${schema}".outbox WHERE id > $1 ORDER BY id LIMIT ${BATCH}`,
          values: [position],
        })
        if (read.rows.length === 0) break
        left -= read.rows.length
        position = String(read.rows.at(-1).id)
      }
      return ROWS
    }, 0)
  }
  const ways = { handled, bare }
  for (const way of Object.values(ways)) await way()
  const runs = await inRounds(ways, pairs)
  const rates = runs.handled.map(({ perSecond }) => perSecond)
  const micros = runs.handled.map(({ cpuMicros }) => cpuMicros)
  const server = runs.handled.flatMap(({ serverMicros }) => serverMicros ?? [])
  const cheapness = server.length === 0 ? 1 : MOST_SERVER_MICROS / middle(server)
  return [
    {
      what: `PostgreSQL as carrier, ${ROWS} rows of 1 KiB to a handler`,
      measured: `${shown(rates)} msg/s, ${cpuText(runs.handled, 1)}`,
      limit: `read by position: ${shown(runs.bare.map(({ perSecond }) => perSecond))} rows/s`,
      share: Math.min(middle(rates) / LEAST_PER_SECOND, MOST_NODE_MICROS / middle(micros), cheapness),
    },
  ]
}
