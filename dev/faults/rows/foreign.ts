import { connect } from 'amqplib'
import { Kafka, logLevel } from 'kafkajs'
import { setTimeout as pause } from 'node:timers/promises'
import { openCarrier } from './carrier.ts'
import { ChildPart } from './child-part.ts'
import { placedIn } from './parts.ts'
import { verdictOf, type Scenario } from './scenario.ts'
import { openWorld, type World } from './world.ts'

const MESSAGES = 60
const KILLS = 2

/** Plain JSON of a producer who knows nothing of us: without id, type or key. A killed consumer gets it again. */
export const foreign: Scenario = {
  row: 41,
  what: 'messages of a foreign producer, without an id, through kills of the consumer',
  async run({ seed, ...at }) {
    await using world = await openWorld(at, { operations: MESSAGES, window: 1 })
    const { place, pool } = world
    const send = await producerOf(world)
    const bodies: string[] = []
    for (let number = 1; number <= MESSAGES; number++) {
      const op = `${seed}/${number}`
      await pool.query(`insert into "${place.log}".orders values ($1, $2, 1)`, [op, number])
      bodies.push(JSON.stringify({ op, key: number, number: 1 }))
    }
    let kills = 0
    let over = false
    const supervised = (async () => {
      for (let life = 0; !over; life++) {
        // after the commit and before the ack: what comes again is known by its derived id alone
        const env = { FOREIGN: 'yes', POINT: 'after-inbox', TIMES: life < KILLS ? String(5 + 3 * life) : '0' }
        await using child = new ChildPart('consumer', place, { env })
        while (!over && child.running) await pause(20)
        if (!over) kills++
      }
    })()
    if (place.carrier.name === 'postgres') while (!(await isRead(world))) await pause(20)
    for (const body of bodies) await send(body)
    const verdict = await verdictOf(world)
    over = true
    await supervised
    await send.end()
    return { kills, verdict }
  },
}

/** Whether the service's reader is there: what is published before is not for it. */
async function isRead({ place: { broker }, pool }: World): Promise<boolean> {
  return (await pool.query(`select from "${broker}".reader where kind = 'service'`)).rows.length > 0
}

/** A producer of its own kind. */
async function producerOf({
  place,
  pool,
}: World): Promise<((body: string) => Promise<void>) & { end(): Promise<void> }> {
  const { carrier, broker } = place
  const { destination } = placedIn(place)
  if (carrier.name === 'amqp') {
    const connection = await connect(carrier.url)
    const channel = await connection.createConfirmChannel()
    const send = async (body: string) => {
      channel.publish(destination.name, 'any', Buffer.from(body), { contentType: 'application/json' })
      await channel.waitForConfirms()
    }
    return Object.assign(send, { end: () => connection.close() })
  }
  if (carrier.name === 'kafka') {
    const producer = new Kafka({ brokers: [carrier.url], logLevel: logLevel.NOTHING }).producer()
    await producer.connect()
    const send = async (body: string) =>
      void (await producer.send({ topic: destination.name, messages: [{ value: body }] }))
    return Object.assign(send, { end: () => producer.disconnect() })
  }
  const transport = openCarrier(carrier, pool, broker)
  const headers = Object.create(null) as Record<string, string>
  const send = async (body: string) => {
    const message = { id: '', type: '', destination, contentType: '', attributes: {}, headers, body: Buffer.from(body) }
    await Promise.all(transport.publish([message]))
  }
  return Object.assign(send, { end: async () => transport[Symbol.asyncDispose]() })
}
