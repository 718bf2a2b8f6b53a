import { once } from 'node:events'
import type { AmqpChannel } from './client.ts'
import type { Session } from './connection.ts'

/** Closes it, unless its connection ends first: amqplib leaves a close unanswered then. */
export async function closeChannel(channel: AmqpChannel, { lost }: Session): Promise<void> {
  if (lost.aborted) return
  const done = new AbortController()
  const closing = (async () => channel.close())().catch(() => {}) // closed already
  const ended = once(lost, 'abort', { signal: done.signal }).catch(() => {})
  await Promise.race([closing, ended])
  done.abort()
}
