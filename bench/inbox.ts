// What the inbox costs, without a broker: the same effect in a transaction of its own, once, and in batches of 50.
import { silentLogger, type Context } from '@waybill/core'
import { createInbox } from '@waybill/outbox-pg'
import { benchDatabase } from './bench-database.ts'
import { inRounds, ratios, shown, timed } from './pairs.ts'
import type { BenchRow } from './row.ts'

const AT_ONCE = 10
const BATCH = 50
const BATCHES_AT_ONCE = 2

export async function inboxCost(pairs: number, durationMs: number): Promise<BenchRow[]> {
  await using database = await benchDatabase(AT_ONCE)
  const { pool, schema, insert } = database
  const inbox = createInbox({ db: pool, schema })
  let sent = 0
  const next = (): Context =>
    ({
      service: 'bench',
      attempt: 1,
      signal: new AbortController().signal,
      logger: silentLogger,
      message: { id: `${schema}-${sent++}`, type: 'bench', version: 1, attributes: {}, headers: {} },
    }) as unknown as Context
  type Effect = { query(statement: typeof insert): Promise<unknown> }
  const effect = (trx: unknown) => (trx as Effect).query(insert)

  const bare = async () => {
    const client = await pool.connect()
    await client.query('BEGIN')
    await effect(client)
    await client.query('COMMIT')
    client.release()
    return 1
  }
  const single = inbox.once(async (_data: object, { trx }) => void (await effect(trx)))
  const batch = inbox.onceBatch(async (datas: readonly object[], [{ trx }]) => {
    for (let done = 0; done < datas.length; done++) await effect(trx)
  })
  const run = (atOnce: number, handle: () => Promise<number>) => () =>
    timed(async (go) => {
      let done = 0
      const handler = async () => {
        while (go()) {
          // read after the wait: the others have counted meanwhile
          const handled = await handle()
          done += handled
        }
      }
      await Promise.all(Array.from({ length: atOnce }, handler))
      return done
    }, durationMs)
  const ways = {
    bare: run(AT_ONCE, bare),
    once: run(AT_ONCE, async () => {
      await single({}, next())
      return 1
    }),
    batch: run(BATCHES_AT_ONCE, async () => {
      const contexts = Array.from({ length: BATCH }, next)
      await batch(
        contexts.map(() => ({})),
        contexts,
      )
      return BATCH
    }),
  }
  for (const way of Object.values(ways)) await way()
  const runs = await inRounds(ways, pairs)
  const rate = (name: keyof typeof ways) =>
    `${shown(runs[name].map(({ perSecond }) => perSecond))} msg/s, node ${shown(runs[name].map(({ cpuMicros }) => cpuMicros))} µs`
  return [
    {
      what: `inbox.once, no broker, ${AT_ONCE} at a time`,
      measured: rate('once'),
      limit: `without: ${rate('bare')}`,
      ratios: ratios(runs.once, runs.bare),
    },
    {
      what: `inbox.onceBatch, no broker, ${BATCH} a batch, ${BATCHES_AT_ONCE} at a time`,
      measured: rate('batch'),
      limit: `inbox.once: ${rate('once')}`,
      ratios: ratios(runs.batch, runs.once),
    },
  ]
}
