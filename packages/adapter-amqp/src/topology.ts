import { ConfigError, ConnectionError, UnsupportedError } from '@waybill/core'
import type { Source, SubscribeOptions } from '@waybill/core'
import type { AmqpChannel } from './client.ts'
import type { Session } from './connection.ts'
import { checkName } from './options.ts'
import type { ResolvedOptions } from './options.ts'

/** What a subscription reads: which queues, and what is bound to them. */
export interface QueuePlan {
  readonly queue: string
  /** Any service may read it beside its own, so its form depends on none of them. */
  readonly shared: boolean
  /** Whose dead letters the broker itself would make of it: the service's, those of a shared queue its own. */
  readonly owner: string
  readonly bindings: readonly { readonly exchange: string; readonly patterns: readonly string[] }[]
}

/** Makes or checks what messages travel through, each step on a channel of its own, since a refusal closes it. */
export interface TopologyRoom {
  serviceQueue(service: string): string
  deadLetterQueue(service: string): string
  /** Where what may end its processes waits to be opened alone. */
  suspectQueue(queue: string): string
  /** @throws {ConfigError} for a name the broker can't take; @throws {UnsupportedError} for a source of kind `reply` */
  plan(subscription: Pick<SubscribeOptions, 'service' | 'sources'>): readonly QueuePlan[]
  declareExchange(session: Session, exchange: string): Promise<void>
  declarePlan(session: Session, mode: SubscribeOptions['mode'], plan: QueuePlan): Promise<void>
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
  const { topology, queues } = options
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

  return {
    serviceQueue,
    deadLetterQueue,
    suspectQueue,
    declareDeadLetters,
    plan({ service, sources }) {
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
      return [own, ...[...others].map(([queue, owner]) => ({ queue, shared: true, owner, bindings: [] }))]
    },
    declareExchange: (session, exchange) =>
      onThrowAway(session, topology, async (channel) => {
        if (topology === 'check') await channel.checkExchange(exchange)
        else await channel.assertExchange(exchange, 'topic', { durable: true })
      }),
    async declarePlan(session, mode, { queue, shared, owner, bindings }) {
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
          await channel.assertQueue(queue, { arguments: form })
        }
        for (const { exchange, patterns } of bindings) {
          if (topology === 'check') {
            await channel.checkExchange(exchange)
            continue
          }
          await channel.assertExchange(exchange, 'topic', { durable: true })
          for (const pattern of patterns) await channel.bindQueue(queue, exchange, pattern)
        }
      })
    },
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

async function onThrowAway(
  session: Session,
  topology: ResolvedOptions['topology'],
  work: (channel: AmqpChannel) => Promise<void>,
): Promise<void> {
  if (topology === 'none') return
  const channel = await session.connection.createChannel()
  channel.on('error', () => {})
  try {
    await work(channel)
  } catch (error) {
    throw judgeDeclare(error)
  }
  await channel.close().catch(() => {})
}

/** Says which queue or exchange, and which argument, stands in the way. */
export function judgeDeclare(cause: unknown): Error {
  const text = cause instanceof Error ? cause.message : String(cause)
  const code = (cause as { code?: unknown } | undefined)?.code
  const where = /(?:queue|exchange) '[^']*'/.exec(text)?.[0] ?? 'queue or exchange'
  if (code === 406) {
    const argument = /inequivalent arg '([^']*)'/.exec(text)?.[1]
    const values = /received .*? but current is .*?(?=")/.exec(text)?.[0] ?? text.slice(0, 300)
    return new ConfigError(
      `${where} stands with another ${argument ?? 'form'} (${values}): delete or rename it, or set topology: 'none'`,
      { cause },
    )
  }
  if (code === 404) return new ConfigError(`${where} does not exist: make it, or set topology: 'declare'`, { cause })
  if (code === 403) return new ConfigError(`${where}: this user has no permission for it on the broker`, { cause })
  return new ConnectionError(`declare on RabbitMQ failed: ${text.slice(0, 200)}`, { cause })
}
