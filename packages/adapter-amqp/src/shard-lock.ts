import { closeChannel } from './close-channel.ts'
import type { Session } from './connection.ts'
import { judgeDeclare } from './throw-away.ts'

/**
 * A queue that belongs to the connection that declared it, and goes with it. It keeps two instances from reading one
 * shard, where the second would wait unseen: the broker counts active consumers alone. What keeps the order is not the
 * lock but the single active consumer.
 * @see https://www.rabbitmq.com/docs/queues#exclusive-queues
 */
function lockOf(queue: string): string {
  return `${queue}.lock`
}

/** @returns false when another instance has it */
export async function lockShard(session: Session, queue: string): Promise<boolean> {
  const channel = await session.connection.createChannel()
  channel.on('error', () => {})
  try {
    await channel.assertQueue(lockOf(queue), { exclusive: true, durable: false })
  } catch (error) {
    if ((error as { code?: unknown }).code === 405) return false
    throw judgeDeclare(error)
  }
  await closeChannel(channel, session)
  return true
}

export async function unlockShard(session: Session, queue: string): Promise<void> {
  if (session.lost.aborted) return
  const channel = await session.connection.createChannel()
  channel.on('error', () => {})
  await channel.deleteQueue(lockOf(queue))
  await closeChannel(channel, session)
}
