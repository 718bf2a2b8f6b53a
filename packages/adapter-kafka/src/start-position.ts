import { UnsupportedError, type SubscribeOptions } from '@waybill/core'
import type { Connection } from './connection.ts'

/** Topic to partition to offset. */
export type Positions = ReadonlyMap<string, ReadonlyMap<number, string>>

/**
 * Where partitions without a saved position begin; `undefined` for the beginning, which needs no look-up.
 * @throws {UnsupportedError} for a position of one partition: the others would have none
 */
export async function startPositions(
  connection: Connection,
  topics: readonly string[],
  start: SubscribeOptions['start'],
): Promise<Positions | undefined> {
  if (start === 'earliest') return undefined
  if (typeof start === 'object' && 'position' in start) {
    throw new UnsupportedError('Kafka can not start at one position of one partition: give a time or "earliest"')
  }
  const positions = new Map<string, Map<number, string>>()
  await Promise.all(
    topics.map(async (topic) => {
      const offsets = await connection.admin(`look-up of positions of topic "${topic}"`, (admin) =>
        start === 'latest' ? admin.fetchTopicOffsets(topic) : admin.fetchTopicOffsetsByTimestamp(topic, start.timeMs),
      )
      positions.set(topic, new Map(offsets.map(({ partition, offset }) => [partition, offset])))
    }),
  )
  return positions
}

/** The partitions for which the group has nothing saved. */
export async function unsavedPartitions(
  connection: Connection,
  groupId: string,
  assigned: Readonly<Record<string, readonly number[]>>,
): Promise<{ topic: string; partition: number }[]> {
  const topics = Object.keys(assigned)
  if (topics.length === 0) return []
  const saved = await connection.admin(`look-up of positions of group "${groupId}"`, (admin) =>
    admin.fetchOffsets({ groupId, topics }),
  )
  return saved.flatMap(({ topic, partitions }) =>
    partitions
      .filter(({ partition, offset }) => Number(offset) < 0 && assigned[topic]?.includes(partition))
      .map(({ partition }) => ({ topic, partition })),
  )
}
