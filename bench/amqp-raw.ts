import { randomUUID } from 'node:crypto'
import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib'

/** The address of RabbitMQ that `npm run bench` gives. */
export function amqpUrl(): string {
  const url = process.env.AMQP_URL
  if (url === undefined) throw new Error('AMQP_URL is not set: use npm run bench')
  return url
}

export interface RawClient extends AsyncDisposable {
  readonly connection: ChannelModel
  readonly channel: ConfirmChannel
}

/** A plain amqplib program: one connection, one confirm channel. */
export async function rawClient(): Promise<RawClient> {
  const connection = await connect(amqpUrl())
  const channel = await connection.createConfirmChannel()
  return { connection, channel, [Symbol.asyncDispose]: () => connection.close() }
}

let published = 0

/** What a careful program sends without Waybill: persistent, watched, named, with CloudEvents headers. */
export function fullProperties(type: string) {
  const id = randomUUID()
  const time = new Date()
  return {
    persistent: true,
    mandatory: true,
    contentType: 'application/json',
    messageId: id,
    type,
    timestamp: Math.floor(time.getTime() / 1_000),
    headers: {
      'cloudEvents:specversion': '1.0',
      'cloudEvents:id': id,
      'cloudEvents:type': type,
      'cloudEvents:source': '/bench',
      'cloudEvents:time': time.toISOString(),
      'publish-number': ++published,
    },
  }
}

/** The least: persistent and watched, one header. */
export function bareProperties() {
  return { persistent: true, mandatory: true, headers: { 'publish-number': ++published } }
}

/** One confirmed publish to a queue. */
export function rawPublish(channel: ConfirmChannel, queue: string, body: Buffer, properties: object): Promise<void> {
  return new Promise((resolve, reject) => {
    channel.publish('', queue, body, properties, (error: unknown) =>
      error === null || error === undefined ? resolve() : reject(error as Error),
    )
  })
}
