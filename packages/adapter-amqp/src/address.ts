import { PublishError } from '@waybill/core'
import type { Destination, WireMessage } from '@waybill/core'
import { checkName } from './options.ts'
import type { ResolvedOptions } from './options.ts'
import { slotKey, slotOf } from './shards.ts'
import type { TopologyRoom } from './topology.ts'
import { refused, write } from './wire.ts'
import type { Outgoing } from './wire.ts'

/** A message on its way, and what to say about where to. */
export interface Addressed {
  readonly outgoing: Outgoing
  readonly destination: Destination
}

/**
 * Where a message goes: a topic is an exchange, the rest are queues, reached through the default exchange.
 * @throws {PublishError} for good: no legal address, or a reply address that this adapter can't have made
 */
export function address(message: WireMessage, options: ResolvedOptions, topology: TopologyRoom): Addressed {
  const route = Object.hasOwn(options.routes, message.type) ? options.routes[message.type] : undefined
  const destination = route === undefined ? message.destination : route(message)
  const { kind, name } = destination
  try {
    checkName('destination', name)
  } catch (cause) {
    throw new PublishError(`not published to RabbitMQ: ${(cause as Error).message}`, { retryable: false, cause })
  }
  const watched = message.confirm !== false
  if (kind === 'topic') {
    const routingKey = destination.subject ?? message.type
    const mandatory = watched && message.mustRoute === true
    const outgoing = write(message, { exchange: name, routingKey, mandatory })
    const { orderingKey } = message
    // a second key: the broker takes it off again, and only an exchange in front of shards looks at it
    if (orderingKey !== undefined) outgoing.properties.BCC = [slotKey(slotOf(orderingKey))]
    return { destination, outgoing }
  }
  if (kind === 'reply' && !options.replyPrefixes.some((prefix) => name.startsWith(prefix))) {
    // a made-up direct reply-to address lets a stranger close our connection on RabbitMQ before 4.3
    throw refused(`"${name}" is no reply address of this kind: add its prefix to replyPrefixes if you trust it`)
  }
  const home = kind === 'service' ? topology.serviceQueue(name) : name
  const queue = topology.queueFor(home, message.orderingKey)
  return { destination, outgoing: write(message, { exchange: '', routingKey: queue, mandatory: watched }) }
}
