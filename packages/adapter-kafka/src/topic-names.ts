import { ConfigError, type Destination } from '@waybill/core'

const DEAD_LETTERS = '.dlq'
/** Replies live under a prefix of their own, so that a `replyTo` from outside can never point at a business topic. */
const REPLY_PREFIX = 'waybill.reply.'

/** Topic of what is handed to one service alone. */
export const intakeTopic = (service: string): string => `${service}.retry`

/** Topic of what a service gave up on. */
export const deadLetterTopic = (service: string): string => `${service}${DEAD_LETTERS}`

/** Whose dead letters a topic holds; `undefined` if none. */
export const deadLetterService = (topic: string): string | undefined =>
  topic.endsWith(DEAD_LETTERS) ? topic.slice(0, -DEAD_LETTERS.length) : undefined

/**
 * The Kafka topic of a destination or source: topics and queues by their own name, `<service>.retry`, `waybill.reply.<name>`.
 * @throws {ConfigError} for a name that Kafka has no topic for
 */
export function topicOf({ kind, name }: Pick<Destination, 'kind' | 'name'>): string {
  if (kind === 'service') return checkTopic(intakeTopic(name), name)
  if (kind === 'reply') return checkTopic(REPLY_PREFIX + name, name)
  return checkTopic(name, name)
}

/** @see https://github.com/apache/kafka/blob/4.1.1/clients/src/main/java/org/apache/kafka/common/internals/Topic.java */
function checkTopic(topic: string, name: string): string {
  if (/^[A-Za-z0-9._-]{1,249}$/.test(topic) && topic !== '.' && topic !== '..') return topic
  throw new ConfigError(
    `${JSON.stringify(name.slice(0, 260))} is no name for a Kafka topic: give at most 249 letters, digits, '.', '_' or '-', or map it with routes`,
  )
}
