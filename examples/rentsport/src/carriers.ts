import type { Definition, Logger, Transport } from '@waybill/core'
import { createOutbox, fromKysely, postgres, type OutboxMessages, type OutboxWriter } from '@waybill/outbox-pg'
import type { Database } from './database/open.ts'
import type { RentalOutbox } from './rentals/rental-outbox.ts'

export interface CarrierOptions {
  readonly database: Database
  /** CloudEvents `source` of what this process writes. */
  readonly source: string
  readonly amqpUrl: string | undefined
  readonly kafkaBrokers: readonly string[] | undefined
  readonly logger: Logger
}

/** Definitions name the broker they are meant for; where that broker is absent, PostgreSQL carries their messages. */
export interface Carriers {
  readonly outbox: RentalOutbox
  /** Carries notifications and requests; a new one at each call, for a bus of its own. */
  commands(): Transport
  /** Carries domain events; a new one at each call, for a bus of its own. */
  events(): Transport
  /** The brokers that a relay hands the outbox's rows to, by the name that the rows carry. */
  relayed(): Readonly<Record<string, Transport>>
}

export async function createCarriers(options: CarrierOptions): Promise<Carriers> {
  const { database, source, amqpUrl, kafkaBrokers } = options
  const { pool, db, url } = database
  const present = new Set<string>()
  if (amqpUrl !== undefined) present.add('amqp')
  if (kafkaBrokers !== undefined) present.add('kafka')
  const outbox = carriedBy(present, createOutbox({ db: fromKysely(db), source, transport: 'postgres', wake: pool }))

  const overPostgres = () => postgres({ pool, outbox, listen: url })
  const overRabbit = amqpUrl === undefined ? undefined : await rabbit(amqpUrl, options)
  const overKafka = kafkaBrokers === undefined ? undefined : await kafka(kafkaBrokers, options)
  return {
    outbox,
    commands: () => (overRabbit ?? overPostgres)(),
    events: () => (overKafka ?? overPostgres)(),
    relayed: () => ({
      ...(overRabbit && { amqp: overRabbit() }),
      ...(overKafka && { kafka: overKafka() }),
    }),
  }
}

// An adapter is loaded only where its broker is: without, every process starts sooner.

async function rabbit(url: string, { source, logger }: CarrierOptions): Promise<() => Transport> {
  const { amqp } = await import('@waybill/adapter-amqp')
  return () => amqp({ url, connectionName: `rentsport ${source}`, logger })
}

async function kafka(brokers: readonly string[], { source, logger }: CarrierOptions): Promise<() => Transport> {
  const adapter = await import('@waybill/adapter-kafka')
  return () => adapter.kafka({ brokers, clientId: `rentsport${source}`.replaceAll('/', '-'), logger })
}

/** The same outbox; rows meant for a broker that is absent are written for PostgreSQL. */
function carriedBy(present: ReadonlySet<string>, outbox: RentalOutbox): RentalOutbox {
  const carried = <D extends Definition>(definition: D): D => {
    const { destination } = definition
    if (destination.transport === undefined || present.has(destination.transport)) return definition
    return Object.freeze({ ...definition, destination: { ...destination, transport: 'postgres' } })
  }
  const messagesOf = (messages: OutboxMessages): OutboxMessages => ({
    publish: (event, data, options) => messages.publish(carried(event), data, options),
    send: (command, data, options) => messages.send(carried(command), data, options),
  })
  const writerOf = (writer: OutboxWriter): OutboxWriter => ({
    publish: (event, data, options) => writer.publish(carried(event), data, options),
    send: (command, data, options) => writer.send(carried(command), data, options),
  })
  return {
    ...outbox,
    transaction: (work) => outbox.transaction((trx, messages) => work(trx, messagesOf(messages))),
    in: (trx) => writerOf(outbox.in(trx)),
  }
}
