import { uuidv7, type ReplyAddress, type WireMessage } from '@waybill/core'
import type { Connection } from './connection.ts'
import type { Subscriber } from './subscriber.ts'
import { topicOf } from './topic-names.ts'
import type { Topology } from './topology.ts'

/** Long enough for any time-out, short enough that the topic of a killed process does not stay full. */
const RETENTION_MS = 3_600_000

export interface RepliesSetup {
  readonly connection: Connection
  readonly topology: Topology
  readonly open: (name: string, onReply: (reply: WireMessage) => void) => Promise<Subscriber>
}

/**
 * A topic and a group for this instance alone: within a shared group, a rebalance would send replies to another one.
 * The address is handed out after the first fetch. The topic outlives lost connections, so it is never lost itself.
 */
export async function openReplies(
  { connection, topology, open }: RepliesSetup,
  onReply: (reply: WireMessage) => void,
): Promise<ReplyAddress> {
  const name = uuidv7(Date.now())
  const topic = topicOf({ kind: 'reply', name })
  await topology.ensure({ topic, partitions: 1, retentionMs: RETENTION_MS })
  const subscriber = await open(name, onReply)
  let closing: Promise<void> | undefined
  const close = async () => {
    await subscriber.stop({ drainTimeoutMs: 0 })
    await topology.remove(topic).catch(() => {})
    await removeGroup(connection, subscriber.groupId)
  }
  return { address: name, [Symbol.asyncDispose]: () => (closing ??= close()) }
}

/** Best effort: the broker forgets empty groups by itself after a week. */
export async function removeGroup(connection: Connection, groupId: string): Promise<void> {
  await connection.admin(`deletion of group "${groupId}"`, (admin) => admin.deleteGroups([groupId])).catch(() => {})
}
