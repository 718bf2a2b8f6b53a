// From COMMIT to the handler at 200 messages a second: over PostgreSQL and through RabbitMQ, also while another
// transaction that has written to the log stays open.
import { randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { amqp } from '@waybill/adapter-amqp'
import { createBus, defineEvent, on, type Bus } from '@waybill/core'
import { createOutbox, postgres, startRelay, type Outbox } from '@waybill/outbox-pg'
import { amqpUrl } from './amqp-raw.ts'
import { benchDatabase } from './bench-database.ts'
import { anything } from './payload.ts'
import { middle, shown } from './pairs.ts'
import type { BenchRow } from './row.ts'

const A_SECOND = 200
const WARM_MS = 1_000
const Ticked = (name: string) =>
  defineEvent('bench.ticked', { schema: anything<{ readonly tick: number }>(), destination: { name } })

interface Way {
  readonly what: string
  readonly goal: { readonly p50: number; readonly p99: number }
  start(handle: (tick: number) => void): Promise<{ readonly outbox: Outbox; readonly stop: () => Promise<void> }>
}

export async function latency(pairs: number, durationMs: number): Promise<BenchRow[]> {
  await using database = await benchDatabase(16)
  const { pool, schema } = database
  const topic = `bench.${randomBytes(6).toString('hex')}`
  const listenTo = async (bus: Bus, handle: (tick: number) => void) => {
    await bus.subscribe('ticks', [on(Ticked(topic), ({ tick }) => handle(tick))])
  }
  const overPostgres: Way = {
    what: 'over PostgreSQL',
    goal: { p50: 1, p99: 5 },
    async start(handle) {
      const outbox = createOutbox({ db: pool, source: '/bench', schema, transport: 'postgres' })
      const bus = createBus({ transport: postgres({ pool, schema, outbox }), source: '/bench' })
      await listenTo(bus, handle)
      return { outbox, stop: () => bus.stop() }
    },
  }
  const overRabbitMq: Way = {
    what: 'through RabbitMQ',
    goal: { p50: 2, p99: 8 },
    async start(handle) {
      const outbox = createOutbox({ db: pool, source: '/bench', schema, transport: 'amqp' })
      const bus = createBus({ transport: amqp({ url: amqpUrl() }), source: '/bench' })
      await listenTo(bus, handle)
      const relay = startRelay({ outbox, pool, schema, transports: { amqp: amqp({ url: amqpUrl() }) } })
      const stop = async () => {
        await relay.stop()
        await bus.stop()
      }
      return { outbox, stop }
    },
  }
  const rows: BenchRow[] = []
  for (const way of [overPostgres, overRabbitMq]) {
    for (const beside of [false, true]) {
      const figures: { p50: number; p99: number }[] = []
      for (let pair = 0; pair < pairs; pair++) figures.push(await measure(way, beside))
      const of = (name: 'p50' | 'p99') => figures.map((figure) => figure[name])
      rows.push({
        what: `commit to handler ${way.what}, ${A_SECOND}/s${beside ? ', a writer open meanwhile' : ''}`,
        measured: `p50 ${shown(of('p50'), 2)} ms, p99 ${shown(of('p99'), 2)} ms`,
        limit: `goal: p50 ≤ ${way.goal.p50} ms, p99 ≤ ${way.goal.p99} ms`,
        share: Math.min(way.goal.p50 / middle(of('p50')), way.goal.p99 / middle(of('p99'))),
      })
    }
  }
  return rows

  async function measure(way: Way, beside: boolean): Promise<{ p50: number; p99: number }> {
    const committedMs: number[] = []
    const handledMs: number[] = []
    let open = 0
    let whenNone: () => void = () => {}
    const { outbox, stop } = await way.start((tick) => {
      handledMs[tick] = performance.now()
      if (--open === 0) whenNone()
    })
    const event = Ticked(topic)
    const client = beside ? await pool.connect() : undefined
    await client?.query('BEGIN')
    if (client !== undefined) await outbox.in(client).publish(event, { tick: -1 })
    const commits: Promise<void>[] = []
    const startMs = performance.now()
    for (let tick = 0; tick < ((durationMs + WARM_MS) / 1_000) * A_SECOND; tick++) {
      await wait(Math.max(0, startMs + tick * (1_000 / A_SECOND) - performance.now()))
      open++
      const work = (_trx: unknown, messages: { publish(of: typeof event, data: { tick: number }): void }) => {
        messages.publish(event, { tick })
        return Promise.resolve()
      }
      commits.push(outbox.transaction(work).then(() => void (committedMs[tick] = performance.now())))
    }
    await Promise.all(commits)
    if (open > 0) await new Promise<void>((resolve) => (whenNone = resolve))
    await client?.query('ROLLBACK')
    client?.release()
    await stop()
    // the first ones meet cold plans and code; a handler may run before the answer to COMMIT is heard
    const tookMs = handledMs.map((at, tick) => Math.max(0, at - committedMs[tick]!)).slice((WARM_MS / 1_000) * A_SECOND)
    tookMs.sort((left, right) => left - right)
    const at = (share: number) => tookMs[Math.floor(share * (tookMs.length - 1))]!
    return { p50: at(0.5), p99: at(0.99) }
  }
}
