// One request after another over RabbitMQ: amqplib with a reply queue of its own, with direct reply-to, and the bus.
import { randomBytes, randomUUID } from 'node:crypto'
import type { ConsumeMessage } from 'amqplib'
import { amqp } from '@waybill/adapter-amqp'
import { createBus, defineRequest, respond } from '@waybill/core'
import { amqpUrl, fullProperties, rawClient, rawPublish, type RawClient } from './amqp-raw.ts'
import { anything, textOf } from './payload.ts'
import { middle, shown } from './pairs.ts'
import type { BenchRow } from './row.ts'

const BYTES = 256
const WARM = 300
const DIRECT = 'amq.rabbitmq.reply-to'

type Ask = () => Promise<unknown>

export async function amqpRequest(pairs: number, durationMs: number): Promise<BenchRow[]> {
  const data = textOf(BYTES)
  const queue = `bench.${randomBytes(6).toString('hex')}`
  await using responder = await rawClient()
  await responder.channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } })
  const answer = async (message: ConsumeMessage | null) => {
    if (message === null) return // its queue is deleted in the end
    const { replyTo, correlationId } = message.properties as { replyTo: string; correlationId: string }
    const body = Buffer.from(JSON.stringify(JSON.parse(message.content.toString())))
    const properties = { ...fullProperties('bench.ask'), persistent: false, correlationId }
    await rawPublish(responder.channel, replyTo, body, properties)
    responder.channel.ack(message)
  }
  await responder.channel.consume(queue, (message) => void answer(message))

  const Ask = defineRequest(`${queue}.bus`, { schema: anything<typeof data>(), reply: anything<typeof data>() })
  await using answering = createBus({ transport: amqp({ url: amqpUrl() }), source: '/bench' })
  await answering.subscribe(`${queue}.bus`, [respond(Ask, (asked) => asked)])
  await using asking = createBus({ transport: amqp({ url: amqpUrl() }), source: '/bench' })

  await using own = await requester(queue, data, false)
  await using direct = await requester(queue, data, true)
  const ways = {
    own: own.ask,
    direct: direct.ask,
    bus: () => asking.request(Ask, data, { timeoutMs: 10_000 }),
  }
  const p50s: Record<keyof typeof ways, number[]> = { own: [], direct: [], bus: [] }
  const names = Object.keys(ways) as (keyof typeof ways)[]
  for (const name of names) for (let count = 0; count < WARM; count++) await ways[name]()
  for (let pair = 0; pair < pairs; pair++) {
    for (const name of pair % 2 === 0 ? names : names.toReversed())
      p50s[name].push(await medianMs(ways[name], durationMs))
  }
  await responder.channel.deleteQueue(queue)
  const over = p50s.bus.map((ms, pair) => ms / p50s.own[pair]!)
  return [
    {
      what: 'request/reply, one at a time, p50 (lower is better; at most 1.25)',
      measured: shown(p50s.bus, 2, ' ms'),
      limit: `amqplib with a reply queue of its own: ${shown(p50s.own, 2, ' ms')}; direct reply-to: ${shown(p50s.direct, 2, ' ms')}`,
      ratios: over,
      share: 1.25 / middle(over),
    },
  ]
}

async function medianMs(ask: Ask, durationMs: number): Promise<number> {
  const tookMs: number[] = []
  const endMs = performance.now() + durationMs
  while (performance.now() < endMs) {
    const startedMs = performance.now()
    await ask()
    tookMs.push(performance.now() - startedMs)
  }
  return tookMs.sort((left, right) => left - right)[tookMs.length >> 1]!
}

async function requester(queue: string, data: unknown, direct: boolean): Promise<{ ask: Ask } & AsyncDisposable> {
  const raw: RawClient = await rawClient()
  const replyTo = direct ? DIRECT : `bench.reply.${randomUUID()}`
  if (!direct) await raw.channel.assertQueue(replyTo, { exclusive: true, durable: false, autoDelete: true })
  const waiting = new Map<string, (reply: unknown) => void>()
  await raw.channel.consume(
    replyTo,
    (message) => {
      const correlationId = message!.properties.correlationId as string
      waiting.get(correlationId)?.(JSON.parse(message!.content.toString()))
      waiting.delete(correlationId)
    },
    { noAck: true },
  )
  const ask = () =>
    new Promise((resolve, reject) => {
      const correlationId = randomUUID()
      waiting.set(correlationId, resolve)
      const properties = { ...fullProperties('bench.ask'), correlationId, replyTo }
      rawPublish(raw.channel, queue, Buffer.from(JSON.stringify(data)), properties).catch(reject)
    })
  return { ask, [Symbol.asyncDispose]: () => raw[Symbol.asyncDispose]() }
}
