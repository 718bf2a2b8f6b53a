import { setTimeout as pause } from 'node:timers/promises'
import { jsonCodec, type ParkedMessage } from '@waybill/core'
import { createOutbox } from '@waybill/outbox-pg'
import { startRabbitMq } from '../../servers/index.ts'
import { consume, placedIn, produce, relay } from './parts.ts'
import { ensure, verdictOf, type Scenario } from './scenario.ts'
import { clean, judge } from './verdict.ts'
import { openWorld, type World } from './world.ts'

const OPERATIONS = 60
/** Above what the broker takes, which is told to nobody else. */
const BROKER_TAKES = 200_000
const MIB = 1_048_576

interface Poison {
  readonly what: string
  readonly key: number
  readonly headerBytes?: number
  readonly bodyBytes?: number
  /** What the reason of its parking has to say. */
  readonly reason: RegExp
}

/** Messages that the broker refuses: parked with their reason, others unaffected, their key as the option says. */
export const refusedRows: Scenario = {
  row: 37,
  what: 'messages that the broker refuses, under block-key and under skip',
  async run({ seed, ...at }) {
    await using own = at.carrier.name === 'amqp' ? await rabbitThatTakesLess() : undefined
    const carrier = own?.carrier ?? at.carrier
    let verdict
    for (const onParked of ['block-key', 'skip'] as const) {
      await using world = await openWorld({ ...at, carrier }, { operations: OPERATIONS, window: 20 })
      verdict = await refuse(world, onParked)
      if (!clean(verdict)) break
    }
    return { verdict: verdict! }
  },
}

async function refuse(world: World, onParked: 'block-key' | 'skip') {
  const { place } = world
  await using _consumer = await consume(place, () => {})
  await using running = relay(place, () => {}, { retryMs: [50, 50], onParked })
  const poisons = poisonsFor(place.carrier.name)
  const produced = produce(place, () => {})
  for (const poison of poisons) await writePoisoned(world, poison)
  await produced
  const parked = await parkedOf(running.parked, poisons.length)
  for (const { what, key, reason } of poisons) {
    const own = parked.filter(({ message }) => message.orderingKey === String(key))
    ensure(own.length === 1, `${what}: parked ${own.length} times`)
    ensure(reason.test(own[0]!.reason), `${what}: parked with the reason ${own[0]!.reason}`)
  }
  const behind = poisons.length
  const open = await waitUntilLost(world, onParked === 'block-key' ? behind : 0)
  ensure(open === (onParked === 'block-key' ? behind : 0), `${open} wait behind a parked one, with ${onParked}`)
  await Promise.all(
    running.parked.discard(
      parked.map(({ handle }) => handle),
      'planned',
    ),
  )
  return await verdictOf(world)
}

/** Of each key: an operation, the poison, and another operation behind it. */
async function writePoisoned({ place, pool }: World, { key, headerBytes = 0, bodyBytes = 0 }: Poison): Promise<void> {
  const { log } = place
  // as large as no definition's own codec writes it
  const Placed = { ...placedIn(place), codec: jsonCodec({ maxBodyBytes: 32 * MIB }) }
  const outbox = createOutbox({
    db: pool,
    source: '/orders',
    schema: log,
    transport: 'carrier',
    limits: { maxBodyBytes: 32 * MIB, maxHeaderBytes: 64 * 1_024 },
  })
  for (const number of [1, 2]) {
    await outbox.transaction(async (trx, messages) => {
      const op = crypto.randomUUID()
      await trx.query(`insert into "${log}".orders values ($1, $2, $3)`, [op, key, number])
      messages.publish(Placed, { op, key, number })
    })
    if (number === 2) break
    await outbox.transaction(async (_trx, messages) => {
      const headers = Object.assign(Object.create(null) as Record<string, string>, { note: 'h'.repeat(headerBytes) })
      messages.publish(Placed, { op: `poison ${'b'.repeat(bodyBytes)}`, key, number: 0 }, { headers })
    })
  }
}

function poisonsFor(carrier: World['place']['carrier']['name']): readonly Poison[] {
  if (carrier === 'amqp') {
    return [
      {
        what: 'headers over what the adapter takes',
        key: 501,
        headerBytes: 60_000,
        reason: /headers of \d+ bytes are over/,
      },
      {
        what: "a body over the broker's own limit",
        key: 503,
        bodyBytes: BROKER_TAKES * 2,
        reason: /over the broker's max_message_size/,
      },
    ]
  }
  if (carrier === 'kafka') {
    return [
      { what: 'a body over what the adapter takes', key: 501, bodyBytes: 1_000_100, reason: /maxBodyBytes is/ },
      {
        what: "headers and body over the broker's own limit",
        key: 502,
        bodyBytes: 999_000,
        headerBytes: 60_000,
        reason: /max\.message\.bytes/,
      },
    ]
  }
  return [
    {
      what: 'a body over what the adapter takes',
      key: 501,
      bodyBytes: 16 * MIB + 1,
      reason: /over maxBodyBytes/,
    },
  ]
}

async function parkedOf(parked: { list(): AsyncIterable<ParkedMessage> }, count: number): Promise<ParkedMessage[]> {
  for (const untilMs = performance.now() + 60_000; ; await pause(50)) {
    const found: ParkedMessage[] = []
    for await (const message of parked.list()) found.push(message)
    if (found.length >= count || performance.now() > untilMs) return found
  }
}

async function waitUntilLost({ place, pool }: World, count: number): Promise<number> {
  for (const untilMs = performance.now() + 30_000; ; await pause(50)) {
    const { lost } = await judge(pool, place)
    if (lost <= count || performance.now() > untilMs) {
      await pause(500)
      return (await judge(pool, place)).lost
    }
  }
}

async function rabbitThatTakesLess() {
  const server = await startRabbitMq({ direct: true })
  await server.control('eval', `persistent_term:put(max_message_size, ${BROKER_TAKES}).`)
  return {
    carrier: { name: 'amqp', url: server.url } as const,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}
