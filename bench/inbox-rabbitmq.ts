// What the inbox costs a service behind RabbitMQ: the same effect alone, under `once`, and in batches.
import { randomBytes } from 'node:crypto'
import { amqp } from '@waybill/adapter-amqp'
import { createBus, defineCommand, on, onBatch, type Route } from '@waybill/core'
import { createInbox } from '@waybill/outbox-pg'
import { amqpUrl } from './amqp-raw.ts'
import { benchDatabase } from './bench-database.ts'
import { Countdown } from './outbox-log.ts'
import { inRounds, ratios, shown, timed, type Run } from './pairs.ts'
import { anything, textOf } from './payload.ts'
import type { BenchRow } from './row.ts'

const MESSAGES = 10_000
const AT_ONCE = 10
const BATCH = 50
const DATA = textOf(256)

export async function inboxBehindRabbitMq(pairs: number): Promise<BenchRow[]> {
  await using database = await benchDatabase(AT_ONCE + 4)
  const { pool, schema, insert } = database
  const inbox = createInbox({ db: pool, schema })
  const queue = `bench.${randomBytes(6).toString('hex')}`
  const Do = defineCommand('bench.do', {
    schema: anything<typeof DATA>(),
    destination: { kind: 'queue', name: queue },
  })
  type Effect = { query(statement: typeof insert): Promise<unknown> }
  const effect = (trx: unknown) => (trx as Effect).query(insert)
  let countdown = new Countdown(MESSAGES)

  const bare = on(Do, async () => {
    const client = await pool.connect()
    await client.query('BEGIN')
    await effect(client)
    await client.query('COMMIT')
    client.release()
    countdown.count()
  })
  const single = inbox.once(async (_data: typeof DATA, { trx }) => void (await effect(trx)))
  const once = on(Do, async (data, context) => {
    const settlement = await single(data, context)
    countdown.count()
    return settlement
  })
  const several = inbox.onceBatch(async (datas: readonly (typeof DATA)[], [{ trx }]) => {
    for (let done = 0; done < datas.length; done++) await effect(trx)
  })
  const batch = onBatch(
    Do,
    async (datas, contexts) => {
      const settlements = await several(datas, contexts)
      for (let done = 0; done < datas.length; done++) countdown.count()
      return settlements
    },
    { size: BATCH },
  )
  const run = (route: Route) => async (): Promise<Run> => {
    countdown = new Countdown(MESSAGES)
    await using transport = amqp({ url: amqpUrl() })
    const sources = [{ kind: 'queue', name: queue }] as const
    await transport.declare!({ destinations: [], subscriptions: [{ service: queue, sources, mode: 'compete' }] })
    await using bus = createBus({ transport, source: '/bench' })
    await Promise.all(Array.from({ length: MESSAGES }, () => bus.send(Do, DATA)))
    return await timed(async () => {
      await bus.subscribe(queue, [route], { concurrency: AT_ONCE })
      await countdown.done
      return MESSAGES
    }, 0)
  }
  const ways = { bare: run(bare), once: run(once), batch: run(batch) }
  for (const way of Object.values(ways)) await way()
  const runs = await inRounds(ways, pairs)
  const rate = (name: keyof typeof ways) =>
    `${shown(runs[name].map(({ perSecond }) => perSecond))} msg/s, node ${shown(runs[name].map(({ cpuMicros }) => cpuMicros))} µs`
  return [
    {
      what: `inbox.once behind RabbitMQ, ${AT_ONCE} at a time`,
      measured: rate('once'),
      limit: `the effect alone: ${rate('bare')}`,
      ratios: ratios(runs.once, runs.bare),
      goal: 0.85,
    },
    {
      what: `inbox.onceBatch behind RabbitMQ, ${BATCH} a batch`,
      measured: rate('batch'),
      limit: `inbox.once: ${rate('once')}`,
      ratios: ratios(runs.batch, runs.once),
      goal: 2.5,
    },
  ]
}
