/** A partition that messages were sent to. */
export interface SentPartition {
  readonly topic: string
  readonly partition: number
}

/** A partition in a client's answer. */
export interface AnsweredPartition {
  readonly topicName: string
  readonly partition: number
  readonly errorCode: number
}

/**
 * The partitions that a fulfilled `sendBatch` says nothing good about. kafkajs 2.2.4 fulfils without having sent some
 * of them when a leader moves while it retries, and for partitions that don't exist: both would be silent losses.
 * @see https://github.com/tulios/kafkajs/issues/1303
 */
export function missingPartitions<P extends SentPartition>(
  sent: readonly P[],
  answer: readonly AnsweredPartition[],
): readonly P[] {
  const stored = new Set<string>()
  for (const { topicName, partition, errorCode } of answer) if (errorCode === 0) stored.add(`${topicName}/${partition}`)
  return sent.filter(({ topic, partition }) => !stored.has(`${topic}/${partition}`))
}
