// What the outbox costs the writer: the same transactions without and with a message, in pairs.
import { defineEvent } from '@waybill/core'
import { createOutbox } from '@waybill/outbox-pg'
import { z } from 'zod'
import { benchDatabase } from './bench-database.ts'
import { cpuText, timedAtServer } from './backend-cpu.ts'
import { inRounds, ratios, shown } from './pairs.ts'
import type { BenchRow } from './row.ts'

const Booked = defineEvent('rental.booked', {
  schema: z.object({ rentalId: z.string(), text: z.string() }),
  orderingKey: ({ rentalId }) => rentalId,
})
const TEXT = 'x'.repeat(1_000)
const GOAL = 0.75

/** @param writers transactions at once */
export async function outboxWrites(writers: number, pairs: number, durationMs: number): Promise<BenchRow[]> {
  await using database = await benchDatabase(writers)
  const { pool, schema, insert } = database
  const outbox = createOutbox({ db: pool, source: '/bench', schema, transport: 'bench' })
  const data = (at: number) => ({ rentalId: String(at % 1_000), text: TEXT })

  const bare = async () => {
    const client = await pool.connect()
    await client.query('BEGIN')
    await client.query(insert)
    await client.query('COMMIT')
    client.release()
  }
  const transaction = (at: number) =>
    outbox.transaction(async (trx, messages) => {
      await (trx as unknown as typeof pool).query(insert)
      messages.publish(Booked, data(at))
    })
  const own = async (at: number) => {
    const client = await pool.connect()
    await client.query('BEGIN')
    await client.query(insert)
    await outbox.in(client).publish(Booked, data(at))
    await client.query('COMMIT')
    client.release()
  }
  const run = (write: (at: number) => Promise<unknown>) => () =>
    timedAtServer(database, (go) => writeAtOnce(writers, go, write), durationMs)
  const ways = { bare: run(bare), transaction: run(transaction), 'own transaction': run(own) }
  // connections, plans and code are warm before anything counts
  for (const way of Object.values(ways)) await way()
  const runs = await inRounds(ways, pairs)
  const cost = (name: keyof typeof ways) => `${cpuText(runs[name])} a tx`
  const row = (name: 'transaction' | 'own transaction', what: string, goal: number | undefined): BenchRow => ({
    what: `${what}, ${writers} writers`,
    measured: `${shown(runs[name].map(({ perSecond }) => perSecond))} tx/s, ${cost(name)}`,
    limit: `without: ${shown(runs.bare.map(({ perSecond }) => perSecond))} tx/s, ${cost('bare')}`,
    ratios: ratios(runs[name], runs.bare),
    goal,
  })
  return [
    row('transaction', 'outbox.transaction', GOAL),
    row('own transaction', 'outbox.in(trx), one round trip more', undefined),
  ]
}

/** So many writers, each with one transaction after another; how many they were. */
export async function writeAtOnce(
  writers: number,
  go: () => boolean,
  write: (at: number) => Promise<unknown>,
): Promise<number> {
  let done = 0
  const writer = async () => {
    while (go()) await write(done++)
  }
  await Promise.all(Array.from({ length: writers }, writer))
  return done
}
