// Consuming a filled RabbitMQ queue with an ack for each message: amqplib by itself beside a service of the bus.
import { randomBytes } from 'node:crypto'
import { amqp } from '@waybill/adapter-amqp'
import { createBus, defineCommand, on } from '@waybill/core'
import { amqpUrl, fullProperties, rawClient, rawPublish, type RawClient } from './amqp-raw.ts'
import { anything, textOf } from './payload.ts'
import { inRounds, ratios, shown, type Run } from './pairs.ts'
import type { BenchRow } from './row.ts'

const PREFETCH = 100
const MESSAGES = 40_000
const BYTES = 1_024
const FILL_WINDOW = 1_000

export async function amqpConsume(pairs: number): Promise<BenchRow[]> {
  await using raw = await rawClient()
  const rows: BenchRow[] = []
  for (const kind of ['classic', 'quorum']) rows.push(await row(raw, kind, pairs))
  return rows
}

async function row(raw: RawClient, kind: string, pairs: number): Promise<BenchRow> {
  const data = textOf(BYTES)
  const filled = async (consume: (queue: string, seen: () => void) => Promise<AsyncDisposable>): Promise<Run> => {
    const queue = `bench.${randomBytes(6).toString('hex')}`
    await declare(raw, kind, queue)
    await fill(raw, queue, Buffer.from(JSON.stringify(data)))
    const measured = await drained((seen) => consume(queue, seen))
    for (const name of [queue, `${queue}.dlq`, `${queue}.suspects`]) await raw.channel.deleteQueue(name)
    return measured
  }
  const ways = {
    raw: () =>
      filled(async (queue, seen) => {
        const channel = await raw.connection.createChannel()
        await channel.prefetch(PREFETCH)
        await channel.consume(queue, (message) => {
          JSON.parse(message!.content.toString())
          channel.ack(message!)
          seen()
        })
        return { [Symbol.asyncDispose]: () => channel.close() }
      }),
    bus: () =>
      filled(async (queue, seen) => {
        const bus = createBus({ transport: amqp({ url: amqpUrl(), topology: 'none' }), source: '/bench' })
        const Told = defineCommand('bench.told', {
          schema: anything<typeof data>(),
          destination: { kind: 'queue', name: queue },
        })
        await bus.subscribe(queue, [on(Told, seen)], { concurrency: PREFETCH / 4 })
        return bus
      }),
  }
  for (const way of Object.values(ways)) await way()
  const runs = await inRounds(ways, pairs)
  const rate = (name: keyof typeof ways) =>
    `${shown(runs[name].map(({ perSecond }) => perSecond))} msg/s, node ${shown(
      runs[name].map(({ cpuMicros }) => cpuMicros),
      1,
    )} µs`
  return {
    what: `consume with ack, ${kind}, ${BYTES} B, prefetch ${PREFETCH}`,
    measured: rate('bus'),
    limit: `amqplib: ${rate('raw')}`,
    ratios: ratios(runs.bus, runs.raw),
    goal: 0.9,
  }
}

async function declare({ channel }: RawClient, kind: string, queue: string): Promise<void> {
  for (const name of [`${queue}.dlq`, `${queue}.suspects`, queue]) {
    await channel.assertQueue(name, { durable: true, arguments: { 'x-queue-type': kind } })
  }
}

async function fill({ channel }: RawClient, queue: string, body: Buffer): Promise<void> {
  let left = MESSAGES
  const lane = async () => {
    while (left-- > 0) await rawPublish(channel, queue, body, fullProperties('bench.told'))
  }
  await Promise.all(Array.from({ length: FILL_WINDOW }, lane))
}

/** From the first message to the last. */
async function drained(consume: (seen: () => void) => Promise<AsyncDisposable>): Promise<Run> {
  let count = 0
  let startedMs = 0
  let cpu = process.cpuUsage()
  let done = () => {}
  const end = new Promise<void>((resolve) => (done = resolve))
  const consumer = await consume(() => {
    if (count === 0) {
      startedMs = performance.now()
      cpu = process.cpuUsage()
    }
    if (++count === MESSAGES) done()
  })
  await end
  const { user, system } = process.cpuUsage(cpu)
  const run = { perSecond: (1_000 * MESSAGES) / (performance.now() - startedMs), cpuMicros: (user + system) / MESSAGES }
  await consumer[Symbol.asyncDispose]()
  return run
}
