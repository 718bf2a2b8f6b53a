import { ConfigError, UnsupportedError } from '@waybill/core'
import type { Source, SubscribeOptions } from '@waybill/core'
import type { Session } from './connection.ts'
import { bindToOthers } from './own-bindings.ts'
import { checkName } from './options.ts'
import type { ResolvedOptions } from './options.ts'
import type { QueuePlan } from './queue-plan.ts'
import { refuseOtherCount, writeMarker } from './shard-marker.ts'
import { declareWayToShard } from './shard-topology.ts'
import { queueOf, shardSet, type ShardSet } from './shards.ts'
import { onThrowAway } from './throw-away.ts'

/** Makes or checks what messages travel through, each step on a channel of its own, since a refusal closes it. */
export interface TopologyRoom {
  serviceQueue(service: string): string
  /** Where a message for the queue goes: there, or to the shard of its key. */
  queueFor(queue: string, orderingKey: string | undefined): string
  /** The queue that a shard is a part of; any other name as it is. */
  homeOf(queue: string): string
  deadLetterQueue(service: string): string
  /** Where what may end its processes waits to be opened alone. */
  suspectQueue(queue: string): string
  /**
   * @throws {ConfigError} for a name the broker can't take, or shards of what is not ordered;
   * @throws {UnsupportedError} for a source of kind `reply`
   */
  plan(subscription: Pick<SubscribeOptions, 'service' | 'sources' | 'mode'>): readonly QueuePlan[]
  declareExchange(session: Session, exchange: string): Promise<void>
  /** @throws {ConfigError} it stands in another number of shards */
  declarePlan(session: Session, mode: SubscribeOptions['mode'], plan: QueuePlan): Promise<void>
  /** The same, whatever number of shards stands. */
  declareQueue(session: Session, mode: SubscribeOptions['mode'], plan: QueuePlan): Promise<void>
  declareDeadLetters(session: Session, service: string): Promise<void>
  declareWait(session: Session, stepMs: number): Promise<void>
}

/** How long the queue of a broadcast reader outlives its reader. */
const BROADCAST_EXPIRES_MS = 1_800_000

/** One wait queue per step serves all services: the routing key brings a message home. */
export function waitName(stepMs: number): string {
  return `waybill.retry.${stepMs}`
}

export function createTopology(options: ResolvedOptions): TopologyRoom {
  const { topology, queues, shards, queueArguments } = options
  const sets = new Map<string, ShardSet>()
  const homes = new Map<string, string>()
  for (const [home, count] of Object.entries(shards)) {
    if (count === 1) continue
    const set = shardSet(home, count)
    sets.set(home, set)
    for (const queue of set.queues) homes.set(queue, home)
  }
  const serviceQueue = (service: string) => (Object.hasOwn(queues, service) ? queues[service]! : service)
  const deadLetterQueue = (service: string) => `${service}.dlq`
  const suspectQueue = (queue: string) => `${queue}.suspects`

  const declareDeadLetters = (session: Session, service: string) =>
    onThrowAway(session, topology, async (channel) => {
      const queue = deadLetterQueue(service)
      if (topology === 'check') await channel.checkQueue(queue)
      // without -1 RabbitMQ 4 drops what was listed 20 times; RabbitMQ 3 would delete it at once with it
      else
        await channel.assertQueue(queue, {
          arguments: { 'x-queue-type': 'quorum', ...(session.brokerMajor >= 4 && { 'x-delivery-limit': -1 }) },
        })
    })

  async function declareQueue(session: Session, mode: SubscribeOptions['mode'], plan: QueuePlan): Promise<void> {
    const { queue, shared, owner, bindings, shards: set } = plan
    const ephemeral = mode === 'broadcast' && !shared
    // what a message falls into must stand before what it falls from
    if (!ephemeral) await declareDeadLetters(session, owner)
    await onThrowAway(session, topology, async (channel) => {
      if (!ephemeral) {
        const suspects = suspectQueue(queue)
        if (topology === 'check') await channel.checkQueue(suspects)
        else await channel.assertQueue(suspects, { arguments: durableForm('compete', deadLetterQueue(owner)) })
      }
      if (topology === 'check') await channel.checkQueue(queue)
      else {
        const form = ephemeral ? EPHEMERAL : durableForm(mode, deadLetterQueue(owner))
        const home = set?.home ?? queue
        const own = Object.hasOwn(queueArguments, home) ? queueArguments[home] : undefined
        await channel.assertQueue(queue, { arguments: { ...own, ...form } })
      }
      if (set !== undefined) await declareWayToShard(channel, set, plan, topology)
      const through = set === undefined ? { queue } : { exchange: set.exchange }
      await bindToOthers(channel, set?.home ?? queue, through, options)
      if (set !== undefined) return
      for (const { exchange, patterns } of bindings) {
        if (topology === 'check') {
          await channel.checkExchange(exchange)
          continue
        }
        await channel.assertExchange(exchange, 'topic', { durable: true })
        for (const pattern of patterns) await channel.bindQueue(queue, exchange, pattern)
      }
    })
  }

  return {
    serviceQueue,
    deadLetterQueue,
    suspectQueue,
    queueFor(queue, orderingKey) {
      const set = sets.get(queue)
      return set === undefined ? queue : queueOf(set, orderingKey)
    },
    homeOf: (queue) => homes.get(queue) ?? queue,
    declareDeadLetters,
    plan({ service, sources, mode }) {
      checkName('service', service)
      checkName('service', deadLetterQueue(service))
      checkName('service', suspectQueue(serviceQueue(service)))
      const home = serviceQueue(service)
      const topics = sources.filter((source) => source.kind === 'topic')
      const own = { queue: home, shared: false, owner: service, bindings: topics.map(binding) }
      const others = new Map<string, string>()
      for (const source of sources) {
        checkName('source', source.name)
        if (source.kind === 'reply') {
          throw new UnsupportedError(`source "${source.name}" of kind reply: RabbitMQ replies come by openReplies`)
        }
        if (source.kind === 'queue') others.set(source.name, source.name)
        if (source.kind === 'service') others.set(serviceQueue(source.name), source.name)
      }
      others.delete(home)
      const whole = [own, ...[...others].map(([queue, owner]) => ({ queue, shared: true, owner, bindings: [] }))]
      return whole.flatMap((plan) => {
        const set = sets.get(plan.queue)
        if (set === undefined) return [plan]
        if (mode !== 'ordered') {
          throw new ConfigError(
            `shards["${plan.queue}"] is ${set.count}, but "${service}" is not ordered: leave it out, instances share the queue as it is`,
          )
        }
        return set.queues.map((queue) => ({ ...plan, queue, shards: set }))
      })
    },
    declareExchange: (session, exchange) =>
      onThrowAway(session, topology, async (channel) => {
        if (topology === 'check') await channel.checkExchange(exchange)
        else await channel.assertExchange(exchange, 'topic', { durable: true })
      }),
    async declarePlan(session, mode, plan) {
      const { queue, shards: set } = plan
      if (mode === 'ordered' && topology !== 'none')
        await refuseOtherCount(session, set?.home ?? queue, set?.count ?? 1)
      await declareQueue(session, mode, plan)
      if (set === undefined || topology !== 'declare') return
      await onThrowAway(session, topology, (channel) => writeMarker(channel, set.home, set.count))
    },
    declareQueue,
    declareWait: (session, stepMs) =>
      onThrowAway(session, topology, async (channel) => {
        const name = waitName(stepMs)
        if (topology === 'check') {
          await channel.checkExchange(name)
          return
        }
        await channel.assertExchange(name, 'fanout', { durable: true })
        await channel.assertQueue(name, {
          arguments: {
            'x-queue-type': 'quorum',
            'x-message-ttl': stepMs,
            'x-dead-letter-exchange': '',
            'x-dead-letter-strategy': 'at-least-once',
            'x-overflow': 'reject-publish',
          },
        })
        await channel.bindQueue(name, name, '')
      }),
  }
}

function binding(source: Source): QueuePlan['bindings'][number] {
  return { exchange: source.name, patterns: source.subjects ?? ['#'] }
}

const EPHEMERAL = Object.freeze({ 'x-queue-type': 'classic', 'x-expires': BROADCAST_EXPIRES_MS })

/** @see https://www.rabbitmq.com/docs/quorum-queues */
function durableForm(mode: SubscribeOptions['mode'], deadLetterQueue: string): Record<string, unknown> {
  return {
    'x-queue-type': 'quorum',
    // counts neighbours of a crash too, so it is far off; the core counts failures
    'x-delivery-limit': 1_000,
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': deadLetterQueue,
    'x-dead-letter-strategy': 'at-least-once',
    'x-overflow': 'reject-publish',
    ...(mode === 'ordered' && { 'x-single-active-consumer': true }),
  }
}
