// Confirmed publishing to a RabbitMQ queue: amqplib by itself, with the same headers and with one, beside the bus.
import { randomBytes } from 'node:crypto'
import { amqp } from '@waybill/adapter-amqp'
import { createBus, defineCommand } from '@waybill/core'
import { bareProperties, fullProperties, rawClient, rawPublish, amqpUrl } from './amqp-raw.ts'
import { anything, textOf } from './payload.ts'
import { inRounds, ratios, shown, timed, type Run } from './pairs.ts'
import type { BenchRow } from './row.ts'

const WINDOWS = [100, 1_000]
const BYTES = [256, 1_024]

export async function amqpPublish(pairs: number, durationMs: number): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  for (const kind of ['classic', 'quorum'] as const) {
    for (const bytes of BYTES)
      for (const window of WINDOWS) rows.push(await row(kind, bytes, window, pairs, durationMs))
  }
  return rows
}

async function row(kind: string, bytes: number, window: number, pairs: number, durationMs: number): Promise<BenchRow> {
  const queue = `bench.${randomBytes(6).toString('hex')}`
  const data = textOf(bytes)
  await using raw = await rawClient()
  await raw.channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': kind } })
  await using bus = createBus({ transport: amqp({ url: amqpUrl() }), source: '/bench' })
  const Told = defineCommand('bench.told', {
    schema: anything<typeof data>(),
    destination: { kind: 'queue', name: queue },
  })

  const run = (send: () => Promise<unknown>) => async (): Promise<Run> => {
    await raw.channel.purgeQueue(queue)
    return timed(async (go) => {
      let sent = 0
      const lane = async () => {
        while (go()) {
          await send()
          sent++
        }
      }
      await Promise.all(Array.from({ length: window }, lane))
      return sent
    }, durationMs)
  }
  const bodyOf = () => Buffer.from(JSON.stringify(data))
  const ways = {
    raw: run(() => rawPublish(raw.channel, queue, bodyOf(), fullProperties('bench.told'))),
    bare: run(() => rawPublish(raw.channel, queue, bodyOf(), bareProperties())),
    bus: run(() => bus.send(Told, data)),
  }
  for (const way of Object.values(ways)) await way()
  const runs = await inRounds(ways, pairs)
  await raw.channel.deleteQueue(queue)
  const rate = (name: keyof typeof ways) =>
    `${shown(runs[name].map(({ perSecond }) => perSecond))} msg/s, node ${shown(
      runs[name].map(({ cpuMicros }) => cpuMicros),
      1,
    )} µs`
  return {
    what: `publish through the bus, ${kind}, ${bytes} B, window ${window}`,
    measured: rate('bus'),
    limit: `amqplib with the same headers: ${rate('raw')}; with one header, ratio ${shown(ratios(runs.bus, runs.bare), 2)}`,
    ratios: ratios(runs.bus, runs.raw),
    goal: 0.9,
  }
}
