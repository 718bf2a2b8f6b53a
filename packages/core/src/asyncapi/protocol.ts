import type { Definition } from '../definition.ts'
import type { Destination } from '../wire-message.ts'
import type { AsyncApiChannel, AsyncApiMessage, AsyncApiOperation, JsonSchema } from './document.ts'
import type { Part } from './options.ts'

/** How Waybill speaks over one protocol, in the terms of its AsyncAPI bindings. */
export interface Protocol {
  readonly attributePrefix: string
  readonly correlationId: string
  readonly replyTo: string
  /** Where messages of these types go: the channel's address, its parameters and bindings. */
  channel(
    destination: Destination,
    types: readonly string[],
  ): Pick<AsyncApiChannel, 'address' | 'parameters' | 'bindings'>
  operation(part: Part): AsyncApiOperation['bindings']
  message(definition: Definition): AsyncApiMessage['bindings']
}

/** A carrier that AsyncAPI has no bindings of ours for; attributes are named as HTTP does. */
const plain: Protocol = {
  attributePrefix: 'ce-',
  correlationId: 'correlationId',
  replyTo: 'replyTo',
  channel: ({ name, subject }) => ({ address: subject === undefined ? name : `${name}/${subject}` }),
  operation: () => undefined,
  message: () => undefined,
}

/** @see https://github.com/asyncapi/bindings/blob/master/amqp/README.md */
const amqp: Protocol = {
  attributePrefix: 'cloudEvents:',
  // native properties, so named as AMQP names them
  correlationId: 'correlation-id',
  replyTo: 'reply-to',
  channel({ kind, name, subject }, types) {
    if (kind !== 'topic') {
      const queue = { name, durable: true, exclusive: false, autoDelete: false }
      return { address: name, bindings: { amqp: { is: 'queue', queue, bindingVersion: '0.3.0' } } }
    }
    const exchange = { name, type: 'topic', durable: true, autoDelete: false }
    const bindings = { amqp: { is: 'routingKey', exchange, bindingVersion: '0.3.0' } }
    // without a subject the type is the routing key
    const [address = types[0]!, ...others] = subject === undefined ? types : [subject]
    if (others.length === 0) return { address, bindings }
    const parameters = { type: { enum: types, description: 'The type of the message is its routing key.' } }
    return { address: '{type}', parameters, bindings }
  },
  operation({ action, service, definition: { delivery, mustRoute } }) {
    const atLeastOnce = delivery === 'at-least-once'
    if (action === 'receive') return { amqp: { ack: atLeastOnce, 'x-queue': service, bindingVersion: '0.3.0' } }
    const mandatory = mustRoute || undefined
    return { amqp: { deliveryMode: atLeastOnce ? 2 : 1, mandatory, timestamp: true, bindingVersion: '0.3.0' } }
  },
  message: ({ wireType }) => ({ amqp: { messageType: wireType, bindingVersion: '0.3.0' } }),
}

/** @see https://github.com/asyncapi/bindings/blob/master/kafka/README.md */
const kafka: Protocol = {
  attributePrefix: 'ce_',
  correlationId: 'waybill-correlation-id',
  replyTo: 'waybill-reply-to',
  channel: ({ name }) => ({ address: name, bindings: { kafka: { topic: name, bindingVersion: '0.5.0' } } }),
  operation: ({ service }) =>
    service === undefined
      ? undefined
      : { kafka: { groupId: { type: 'string', enum: [service] }, bindingVersion: '0.5.0' } },
  message: ({ orderingKey }) =>
    orderingKey === undefined
      ? undefined
      : { kafka: { key: { type: 'string', description: 'The ordering key.' }, bindingVersion: '0.5.0' } },
}

/** The protocol of a server by its AsyncAPI name; with `bindings` off, addresses are the destinations' own names. */
export function protocolOf(name: string | undefined, bindings: boolean): Protocol {
  const known = /^amqps?$/.test(name ?? '') ? amqp : /^kafka(?:-secure)?$/.test(name ?? '') ? kafka : plain
  if (bindings || known === plain) return known
  const { attributePrefix, correlationId, replyTo } = known
  return { ...plain, attributePrefix, correlationId, replyTo }
}

const STRING = Object.freeze({ type: 'string' })

/** CloudEvents attributes as they travel beside a payload. @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md */
export function headersSchema(
  { attributePrefix: prefix, correlationId, replyTo }: Protocol,
  definition: Pick<Definition, 'wireType' | 'dedupeKey' | 'ttlMs'>,
  role: 'message' | 'request' | 'reply',
): JsonSchema {
  return {
    type: 'object',
    properties: {
      [`${prefix}specversion`]: { const: '1.0' },
      [`${prefix}id`]: { ...STRING, description: 'The same on each copy of the message.' },
      [`${prefix}type`]: { const: definition.wireType },
      [`${prefix}source`]: { ...STRING, format: 'uri-reference' },
      [`${prefix}time`]: { ...STRING, format: 'date-time' },
      ...(definition.dedupeKey && { [`${prefix}dedupekey`]: STRING }),
      ...(role === 'reply' && {
        [`${prefix}errorcode`]: { ...STRING, description: 'Of a reply that tells a failure.' },
      }),
      traceparent: { ...STRING, description: 'W3C trace context.' },
      ...(role !== 'message' && { [correlationId]: STRING }),
      ...(role === 'request' && { [replyTo]: STRING }),
    },
    required: [
      ...['specversion', 'id', 'type', 'source'].map((name) => prefix + name),
      ...(role === 'message' ? [] : [correlationId]),
      ...(role === 'request' ? [replyTo] : []),
    ],
  }
}
