import type { AmqpChannel } from './client.ts'
import type { ResolvedOptions } from './options.ts'
import { slotKey, slotsOf, type ShardSet } from './shards.ts'
import type { QueuePlan } from './queue-plan.ts'

/** The way to one shard: from topics to the set's exchange by subject, from there to the shard by slot. */
export async function declareWayToShard(
  channel: AmqpChannel,
  set: ShardSet,
  { queue, bindings }: QueuePlan,
  topology: ResolvedOptions['topology'],
): Promise<void> {
  const { exchange, keyless, members, wanting } = set
  if (topology === 'check') {
    for (const name of [exchange, keyless, ...bindings.map((topic) => topic.exchange)]) {
      await channel.checkExchange(name)
    }
    for (const name of [members, wanting]) await channel.checkQueue(name)
    return
  }
  const index = set.queues.indexOf(queue)
  await channel.assertExchange(keyless, 'fanout', { durable: true })
  await channel.assertExchange(exchange, 'direct', { durable: true, alternateExchange: keyless })
  for (const name of [members, wanting]) await channel.assertQueue(name, { arguments: { 'x-queue-type': 'quorum' } })
  for (const slot of slotsOf(set, index)) await channel.bindQueue(queue, exchange, slotKey(slot))
  if (index === 0) await channel.bindQueue(queue, keyless, '')
  // last, so that nothing comes in before there is a place for it
  if (index < set.count - 1) return
  for (const topic of bindings) {
    await channel.assertExchange(topic.exchange, 'topic', { durable: true })
    for (const pattern of topic.patterns) await channel.bindExchange(exchange, topic.exchange, pattern)
  }
}
