import { uuidv7, type CallOptions } from '@waybill/core'
import type { KafkaMessage } from 'kafkajs'
import type { Connection } from './connection.ts'
import { settled, within } from './deadline.ts'
import { removeGroup } from './replies.ts'

/** How long a look into a topic may take without a `timeoutMs` of its own. */
const READ_MS = 30_000

/**
 * Shows each record of a topic, up to its present end, without leaving a position behind.
 * `visit` answers `false` when it has seen enough.
 */
export async function readLog(
  connection: Connection,
  topic: string,
  visit: (record: KafkaMessage, partition: number) => boolean,
  { timeoutMs = READ_MS, signal }: CallOptions = {},
): Promise<void> {
  const what = `reading of topic "${topic}"`
  const offsets = await connection.admin(what, (admin) => admin.fetchTopicOffsets(topic), { signal })
  const ends = new Map(
    offsets
      .filter(({ low, high }) => Number(high) > Number(low))
      .map(({ partition, high }) => [partition, Number(high)]),
  )
  if (ends.size === 0) return
  const groupId = `waybill.look.${uuidv7(Date.now())}`
  const consumer = await connection.consumer({ groupId })
  try {
    await within(
      new Promise<void>((resolve, reject) => {
        consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error))
        const start = async () => {
          await consumer.connect()
          await consumer.subscribe({ topics: [topic], fromBeginning: true })
          await consumer.run({
            autoCommit: false,
            eachBatch: ({ batch }) => {
              const end = ends.get(batch.partition)
              if (end === undefined) return Promise.resolve()
              for (const record of batch.messages) {
                if (Number(record.offset) < end && !visit(record, batch.partition)) ends.clear()
              }
              if (Number(batch.lastOffset()) >= end - 1) ends.delete(batch.partition)
              if (ends.size === 0) resolve()
              return Promise.resolve()
            },
          })
        }
        start().catch(reject)
      }),
      { timeoutMs, signal, what, option: 'timeoutMs' },
    )
  } finally {
    await settled(consumer.disconnect(), 5_000)
    await removeGroup(connection, groupId)
  }
}
