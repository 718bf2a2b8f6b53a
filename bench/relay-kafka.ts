// From the log to a Kafka topic: the relay, confirmed and in order of each key, beside kafkajs that only sends batches.
import { randomBytes, randomUUID } from 'node:crypto'
import { kafka } from '@waybill/adapter-kafka'
import type { Publisher } from '@waybill/core'
import { startRelay } from '@waybill/outbox-pg'
import { Kafka, logLevel } from 'kafkajs'
import { benchDatabase } from './bench-database.ts'
import { Countdown, eventTo, fill, KEYS, KIB, outboxOf } from './outbox-log.ts'
import { inRounds, ratios, shown, timed, type Run } from './pairs.ts'
import type { BenchRow } from './row.ts'

const ROWS = 30_000
const BATCH = 1_000
const PARTITIONS = 6
const GOAL = 0.9

export async function relayToKafka(pairs: number): Promise<BenchRow[]> {
  const brokers = kafkaBrokers()
  const topic = `bench.${randomBytes(6).toString('hex')}`
  await using database = await benchDatabase(6)
  const { pool, schema } = database
  await using raw = await rawClient(brokers)
  await raw.admin.createTopics({ topics: [{ topic, numPartitions: PARTITIONS }] })
  const outbox = outboxOf(database, 'kafka')
  const event = eventTo({ kind: 'topic', name: topic })
  await using transport = kafka({ brokers })
  let countdown = new Countdown(ROWS)
  // without a dispose of its own, so that it stays connected from run to run, as the other one does
  const counted: Publisher = {
    capabilities: transport.capabilities,
    publish: (messages, options) =>
      transport.publish(messages, options).map((confirm) => confirm.then(() => countdown.count())),
  }

  const relay = async (): Promise<Run> => {
    await fill(outbox, event, ROWS)
    countdown = new Countdown(ROWS)
    return timed(async () => {
      // one batch on its way while the next gathers
      await using running = startRelay({
        outbox,
        pool,
        schema,
        transports: { kafka: counted },
        batch: BATCH,
        window: 2 * BATCH,
      })
      await countdown.done
      await running.stop()
      return ROWS
    }, 0)
  }
  const bare = (): Promise<Run> =>
    timed(async () => {
      for (let sent = 0; sent < ROWS; sent += BATCH) {
        const messages = Array.from({ length: BATCH }, (_, index) => recordOf(sent + index))
        await raw.producer.sendBatch({ topicMessages: [{ topic, messages }] })
      }
      return ROWS
    }, 0)
  const ways = { relay, bare }
  for (const way of Object.values(ways)) await way()
  const runs = await inRounds(ways, pairs)
  await raw.admin.deleteTopics({ topics: [topic] })
  const rate = (name: keyof typeof ways) =>
    `${shown(runs[name].map(({ perSecond }) => perSecond))} msg/s, node ${shown(runs[name].map(({ cpuMicros }) => cpuMicros))} µs`
  return [
    {
      what: `relay to a topic of Kafka with ${PARTITIONS} partitions, ${ROWS} rows of 1 KiB`,
      measured: rate('relay'),
      limit: `kafkajs sends the same with the same headers, idempotent, ${BATCH} a batch, one in flight: ${rate('bare')}`,
      ratios: ratios(runs.relay, runs.bare),
      goal: GOAL,
    },
  ]
}

function kafkaBrokers(): string[] {
  const brokers = process.env.KAFKA_BROKERS
  if (brokers === undefined) throw new Error('KAFKA_BROKERS is not set: use npm run bench')
  return brokers.split(',')
}

/** A plain kafkajs program, with a producer set as ours is. */
async function rawClient(brokers: string[]) {
  const client = new Kafka({ brokers, logLevel: logLevel.NOTHING })
  const producer = client.producer({ idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false })
  const admin = client.admin()
  await Promise.all([producer.connect(), admin.connect()])
  return {
    producer,
    admin,
    async [Symbol.asyncDispose]() {
      await Promise.all([producer.disconnect(), admin.disconnect()])
    },
  }
}

/** What a careful program sends without Waybill: keyed, named, with the headers that the relay's records have. */
function recordOf(sequence: number) {
  return {
    key: String(sequence % KEYS),
    value: JSON.stringify(KIB),
    headers: {
      ce_specversion: '1.0',
      ce_id: randomUUID(),
      ce_type: 'bench.happened',
      ce_source: '/bench',
      ce_time: new Date().toISOString(),
      ce_sequence: String(sequence),
      'content-type': 'application/json',
    },
  }
}
