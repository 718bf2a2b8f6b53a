/**
 * Names of attributes and metrics of the messaging conventions. They are still in development there, so they stand here and
 * not in a package that would move under our users.
 * @see https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
 * @see https://opentelemetry.io/docs/specs/semconv/registry/attributes/messaging/
 */
export const ATTRIBUTE = Object.freeze({
  system: 'messaging.system',
  operationName: 'messaging.operation.name',
  operationType: 'messaging.operation.type',
  destinationName: 'messaging.destination.name',
  destinationTemplate: 'messaging.destination.template',
  destinationTemporary: 'messaging.destination.temporary',
  consumerGroup: 'messaging.consumer.group.name',
  batchCount: 'messaging.batch.message_count',
  messageId: 'messaging.message.id',
  conversationId: 'messaging.message.conversation_id',
  errorType: 'error.type',
  // our own
  messageType: 'waybill.message.type',
  attempt: 'waybill.attempt',
  failures: 'waybill.failures',
  outcome: 'waybill.outcome',
  transport: 'waybill.transport',
})

/** @see https://opentelemetry.io/docs/specs/semconv/messaging/messaging-metrics/ */
export const METRIC = Object.freeze({
  sent: 'messaging.client.sent.messages',
  consumed: 'messaging.client.consumed.messages',
  operationDuration: 'messaging.client.operation.duration',
  processDuration: 'messaging.process.duration',
  // our own
  retries: 'waybill.retries',
  deadLetters: 'waybill.dead_letters',
  expired: 'waybill.expired',
  lateReplies: 'waybill.late_replies',
  inboxDuplicates: 'waybill.inbox.duplicates',
  outboxPending: 'waybill.outbox.pending',
  outboxOldestPendingAge: 'waybill.outbox.oldest_pending_age',
})

/** Bucket bounds that the conventions give for both durations, in seconds. */
export const DURATION_BOUNDS_S = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]

/** Reply destinations are made for one requester each, so they go by one name. */
export const REPLY_TEMPLATE = '(reply)'

/** `error.type` where the conventions leave us no better one. */
export const OTHER_ERROR = '_OTHER'

const SYSTEMS: Readonly<Record<string, string>> = { amqp: 'rabbitmq', postgres: 'postgresql' }

/** `messaging.system` of a transport: the well-known value, or its own name. */
export function systemOf(transport: string | undefined): string {
  if (transport === undefined) return 'waybill_outbox'
  return Object.hasOwn(SYSTEMS, transport) ? SYSTEMS[transport]! : transport
}
