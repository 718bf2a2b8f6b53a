// From the log to a RabbitMQ queue: the relay, confirmed and in order of each key, beside amqplib that only publishes.
import { randomBytes } from 'node:crypto'
import { amqp } from '@waybill/adapter-amqp'
import type { Publisher } from '@waybill/core'
import { startRelay } from '@waybill/outbox-pg'
import { amqpUrl, fullProperties, rawClient, rawPublish } from './amqp-raw.ts'
import { benchDatabase } from './bench-database.ts'
import { Countdown, eventTo, fill, KIB, outboxOf } from './outbox-log.ts'
import { inRounds, ratios, shown, timed, type Run } from './pairs.ts'
import type { BenchRow } from './row.ts'

const ROWS = 20_000
const RAW_WINDOW = 1_000
const GOALS = { classic: 0.95, quorum: 0.85 } as const

export async function relayToRabbitMq(pairs: number): Promise<BenchRow[]> {
  return [await row('classic', pairs), await row('quorum', pairs)]
}

async function row(kind: 'classic' | 'quorum', pairs: number): Promise<BenchRow> {
  const queue = `bench.${randomBytes(6).toString('hex')}`
  await using database = await benchDatabase(6)
  const { pool, schema } = database
  await using raw = await rawClient()
  await raw.channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': kind } })
  const outbox = outboxOf(database, 'amqp')
  const event = eventTo({ kind: 'queue', name: queue })

  const relay = async (): Promise<Run> => {
    await raw.channel.purgeQueue(queue)
    await fill(outbox, event, ROWS)
    const countdown = new Countdown(ROWS)
    const transport = amqp({ url: amqpUrl() })
    await transport.health()
    const counted: Publisher = {
      capabilities: transport.capabilities,
      publish: (messages, options) =>
        transport.publish(messages, options).map((confirm) => confirm.then(() => countdown.count())),
    }
    const figure = await timed(async () => {
      await using running = startRelay({ outbox, pool, schema, transports: { amqp: counted } })
      await countdown.done
      await running.stop()
      return ROWS
    }, 0)
    await transport[Symbol.asyncDispose]()
    return figure
  }
  const bare = async (): Promise<Run> => {
    await raw.channel.purgeQueue(queue)
    return timed(async () => {
      let sent = 0
      const lane = async () => {
        while (sent++ < ROWS) {
          await rawPublish(raw.channel, queue, Buffer.from(JSON.stringify(KIB)), fullProperties('bench.happened'))
        }
      }
      await Promise.all(Array.from({ length: RAW_WINDOW }, lane))
      return ROWS
    }, 0)
  }
  const ways = { relay, bare }
  for (const way of Object.values(ways)) await way()
  const runs = await inRounds(ways, pairs)
  await raw.channel.deleteQueue(queue)
  const rate = (name: keyof typeof ways) =>
    `${shown(runs[name].map(({ perSecond }) => perSecond))} msg/s, node ${shown(runs[name].map(({ cpuMicros }) => cpuMicros))} µs`
  return {
    what: `relay to a ${kind} queue of RabbitMQ, ${ROWS} rows of 1 KiB`,
    measured: rate('relay'),
    limit: `amqplib publishes the same, window ${RAW_WINDOW}: ${rate('bare')}`,
    ratios: ratios(runs.relay, runs.bare),
    goal: GOALS[kind],
  }
}
