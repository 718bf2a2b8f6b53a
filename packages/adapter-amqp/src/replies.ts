import { randomUUID } from 'node:crypto'
import { ConnectionError, sleep } from '@waybill/core'
import type { ReplyAddress, WireMessage } from '@waybill/core'
import { closeChannel } from './close-channel.ts'
import type { Link, Session } from './connection.ts'
import type { ResolvedOptions } from './options.ts'
import { read } from './wire.ts'

/**
 * A reply queue that lives and dies with a connection of its own: an exclusive queue rather than direct reply-to, so
 * that a late reply is seen as unroutable on every version, and a made-up address can't close a responder's connection.
 */
export async function openReplies(
  link: Link,
  options: ResolvedOptions,
  onReply: (reply: WireMessage) => void,
  onLost: (reason: Error) => void,
): Promise<ReplyAddress> {
  const ending = new AbortController()
  const prefix = options.replyPrefixes[0]!
  let address = ''

  const open = async (session: Session) => {
    const name = `${prefix}${randomUUID()}`
    const channel = await session.connection.createChannel()
    let failed: (reason: Error) => void = () => {}
    const lost = new Promise<Error>((resolve) => (failed = resolve))
    channel.on('error', failed)
    channel.on('handler-error', failed)
    channel.on('close', () => failed(new ConnectionError('the channel of the reply queue was closed')))
    await channel.assertQueue(name, {
      exclusive: true,
      durable: false,
      autoDelete: true,
      arguments: { 'x-queue-type': 'classic' },
    })
    await channel.consume(
      name,
      (raw) => {
        if (raw === null) failed(new ConnectionError('the reply queue was deleted'))
        else if (!ending.signal.aborted) onReply({ ...read(raw), destination: { kind: 'reply', name } })
      },
      { noAck: true },
    )
    address = name
    return { channel, lost, session }
  }

  const first = await open(await link.readyWithin(options.connectTimeoutMs))
  const running = (async () => {
    let current: Awaited<ReturnType<typeof open>> | undefined = first
    for (let attempt = 0; !ending.signal.aborted; attempt++) {
      if (current !== undefined) {
        attempt = 0
        const stopped = new Promise<undefined>((resolve) =>
          ending.signal.addEventListener('abort', () => resolve(undefined), { once: true }),
        )
        const reason = await Promise.race([current.lost, stopped])
        if (reason === undefined || ending.signal.aborted) break
        const { channel } = current
        current = undefined
        void (async () => channel.close())().catch(() => {})
        address = `${prefix}${randomUUID()}`
        onLost(reason)
      }
      try {
        const session = await link.ready(ending.signal, true)
        current = await open(session)
      } catch {
        const boundMs = Math.min(options.reconnectMs.max, 100 * 2 ** Math.min(attempt, 20))
        await sleep(options.ports.timers, boundMs * (0.5 + 0.5 * options.ports.random()), ending.signal).catch(() => {})
      }
    }
    if (current !== undefined) await closeChannel(current.channel, current.session)
  })()
  return {
    get address() {
      return address
    },
    async [Symbol.asyncDispose]() {
      ending.abort(new ConnectionError('the reply address was closed'))
      await running
    },
  }
}
