import { ConfigError, ConnectionError } from '@waybill/core'
import type { AmqpChannel } from './client.ts'
import { closeChannel } from './close-channel.ts'
import type { Session } from './connection.ts'
import type { ResolvedOptions } from './options.ts'

/** Each step of declaring has a channel of its own, since a refusal closes it. @throws {ConfigError} @throws {ConnectionError} */
export async function onThrowAway(
  session: Session,
  topology: ResolvedOptions['topology'],
  work: (channel: AmqpChannel) => Promise<void>,
): Promise<void> {
  if (topology === 'none') return
  const channel = await session.connection.createChannel()
  channel.on('error', () => {})
  try {
    await work(channel)
  } catch (error) {
    throw judgeDeclare(error)
  }
  await closeChannel(channel, session)
}

/** Says which queue or exchange, and which argument, stands in the way. */
export function judgeDeclare(cause: unknown): Error {
  const text = cause instanceof Error ? cause.message : String(cause)
  const code = (cause as { code?: unknown } | undefined)?.code
  const where = /(?:queue|exchange) '[^']*'/.exec(text)?.[0] ?? 'queue or exchange'
  if (code === 406) {
    const argument = /inequivalent arg '([^']*)'/.exec(text)?.[1]
    const values = /received .*? but current is .*?(?=")/.exec(text)?.[0] ?? text.slice(0, 300)
    return new ConfigError(
      `${where} stands with another ${argument ?? 'form'} (${values}): delete or rename it, or set topology: 'none'`,
      { cause },
    )
  }
  if (code === 404) return new ConfigError(`${where} does not exist: make it, or set topology: 'declare'`, { cause })
  if (code === 403) return new ConfigError(`${where}: this user has no permission for it on the broker`, { cause })
  return new ConnectionError(`declare on RabbitMQ failed: ${text.slice(0, 200)}`, { cause })
}

/** What waits in a queue and who reads it; undefined where there is none. */
export async function depthOf(
  session: Session,
  queue: string,
): Promise<{ readonly messageCount: number; readonly consumerCount: number } | undefined> {
  return unlessMissing(session, (channel) => channel.checkQueue(queue))
}

export async function exchangeStands(session: Session, exchange: string): Promise<boolean> {
  return (await unlessMissing(session, (channel) => channel.checkExchange(exchange))) !== undefined
}

async function unlessMissing<T>(session: Session, look: (channel: AmqpChannel) => Promise<T>): Promise<T | undefined> {
  const channel = await session.connection.createChannel()
  channel.on('error', () => {})
  let found: T
  try {
    found = await look(channel)
  } catch (error) {
    if ((error as { code?: unknown }).code === 404) return undefined
    throw judgeDeclare(error)
  }
  await closeChannel(channel, session)
  return found
}
