import { ConfigError, TimeoutError, sleep } from '@waybill/core'
import type { CallOptions, Source } from '@waybill/core'
import type { AmqpChannel } from './client.ts'
import { Link, type Session } from './connection.ts'
import { resolveOptions } from './options.ts'
import type { AmqpOptions, ResolvedOptions } from './options.ts'
import { readMarker, replaceMarker } from './shard-marker.ts'
import { SLOTS, shardSet } from './shards.ts'
import { depthOf, onThrowAway } from './throw-away.ts'
import { createTopology } from './topology.ts'
import type { QueuePlan } from './queue-plan.ts'
import type { TopologyRoom } from './topology.ts'

/** What is moved. */
export interface ShardMove {
  readonly service: string
  /** What the service subscribes to; its topics are led to the new queues. */
  readonly sources: readonly Source[]
  /** How many shards there are to be; 1 for one undivided queue. */
  readonly to: number
  /** Told after each look at the old queues. */
  readonly onProgress?: ((progress: MoveProgress) => void) | undefined
}

/** What is left in the old queues. */
export interface MoveProgress {
  /** Messages that wait; they are handled by the instances that run. */
  readonly waiting: number
  /** Consumers; once nothing waits any more, stop the instances. */
  readonly consumers: number
}

/** Where the queue stands, and where it goes. */
interface Route {
  readonly home: string
  readonly from: number
  readonly old: readonly QueuePlan[]
  readonly fresh: readonly QueuePlan[]
}

const LOOK_EVERY_MS = 500
const DEFAULT_TIMEOUT_MS = 600_000

/**
 * Changes the number of shards of an ordered service, in order of each key and without a loss, while others go on
 * publishing to its topics. New events go to the new queues at once and wait there; the running instances empty the old
 * ones; when nothing is left in these and `onProgress` says so, stop the instances. Then the old queues are deleted, and
 * instances with the new number may start. Events published while the topics are led over may come twice. Whoever sends
 * straight to the queue stops before, and starts with the new number after. A move that ended early is taken up again by
 * a second call.
 * @param call `timeoutMs` for all of it, 600_000 by default; with the signal nothing is undone
 * @throws {ConfigError} a wrong option, or a move to another number is under way
 * @throws {TimeoutError} the old queues are not empty, or still consumed
 * @throws {ConnectionError} the broker is not reached within `connectTimeoutMs`
 */
export async function moveShards(
  options: AmqpOptions,
  { service, sources, to, onProgress }: ShardMove,
  { signal, timeoutMs = DEFAULT_TIMEOUT_MS }: CallOptions = {},
): Promise<void> {
  if (!Number.isSafeInteger(to) || to < 1 || to > SLOTS) {
    throw new ConfigError(`to is ${to}: give a whole number of shards from 1 to ${SLOTS}`)
  }
  const resolved = resolveOptions(options)
  const link = new Link('move', resolved)
  const late = new AbortController()
  const cancel = resolved.ports.timers.schedule(
    () => late.abort(new TimeoutError(`"${service}" was not moved to ${to} shards within ${timeoutMs} ms: call again`)),
    timeoutMs,
  )
  const limit = signal === undefined ? late.signal : AbortSignal.any([late.signal, signal])
  try {
    const session = await link.readyWithin(resolved.connectTimeoutMs, limit)
    await new Move(session, resolved, limit, onProgress).run(service, sources, to)
  } finally {
    cancel()
    await link.close(2_000)
  }
}

class Move {
  readonly #session: Session
  readonly #options: ResolvedOptions
  readonly #limit: AbortSignal
  readonly #onProgress: ShardMove['onProgress']

  constructor(session: Session, options: ResolvedOptions, limit: AbortSignal, onProgress: ShardMove['onProgress']) {
    this.#session = session
    this.#options = options
    this.#limit = limit
    this.#onProgress = onProgress
  }

  async run(service: string, sources: readonly Source[], to: number): Promise<void> {
    const home = createTopology(this.#options).serviceQueue(service)
    const from = await this.#standing(home, to)
    if (from === to) return
    const plans = (count: number) => {
      const topology = this.#topologyOf(home, count)
      const all = topology.plan({ service, sources, mode: 'ordered' })
      return { topology, plans: all.filter(({ queue }) => topology.homeOf(queue) === home) }
    }
    const fresh = plans(to)
    const old = plans(from)
    for (const plan of fresh.plans) await fresh.topology.declareQueue(this.#session, 'ordered', plan)
    const route: Route = { home, from, old: old.plans, fresh: fresh.plans }
    await this.#onChannel((channel) => leadOver(channel, route))
    await this.#untilEmpty(old.topology, route)
    await this.#onChannel((channel) => replaceMarker(channel, home, { from, to }))
    // an instance that started just before keeps its consumers
    await this.#untilEmpty(old.topology, route)
    await this.#onChannel((channel) => clear(channel, old.topology, route))
    await this.#onChannel((channel) => replaceMarker(channel, home, to))
  }

  /** @throws {ConfigError} it is on its way to another number */
  async #standing(home: string, to: number): Promise<number> {
    const marked = await readMarker(this.#session, home)
    if (typeof marked !== 'object') return marked ?? ((await depthOf(this.#session, home)) === undefined ? to : 1)
    if (marked.to === to) return marked.from
    throw new ConfigError(`"${home}" is being moved to ${marked.to} shards: finish that first, then move it to ${to}`)
  }

  #topologyOf(home: string, count: number): TopologyRoom {
    return createTopology({
      ...this.#options,
      topology: 'declare',
      shards: { ...this.#options.shards, [home]: count },
    })
  }

  async #untilEmpty(topology: TopologyRoom, { old }: Route): Promise<void> {
    const queues = old.flatMap(({ queue }) => [queue, topology.suspectQueue(queue)])
    for (;;) {
      this.#limit.throwIfAborted()
      let waiting = 0
      let consumers = 0
      for (const queue of queues) {
        // an earlier try may have deleted it
        const depth = await depthOf(this.#session, queue)
        waiting += depth?.messageCount ?? 0
        consumers += depth?.consumerCount ?? 0
      }
      this.#onProgress?.({ waiting, consumers })
      if (waiting === 0 && consumers === 0) return
      await sleep(this.#options.ports.timers, LOOK_EVERY_MS, this.#limit)
    }
  }

  async #onChannel(work: (channel: AmqpChannel) => Promise<void>): Promise<void> {
    this.#limit.throwIfAborted()
    await onThrowAway(this.#session, 'declare', work)
  }
}

/** New events come to the fresh queues, before they cease to come to the old ones. */
async function leadOver(channel: AmqpChannel, { home, from, old }: Route): Promise<void> {
  for (const { exchange, patterns } of old[0]!.bindings) {
    for (const pattern of patterns) {
      if (from === 1) await channel.unbindQueue(home, exchange, pattern)
      else await channel.unbindExchange(shardSet(home, from).exchange, exchange, pattern)
    }
  }
}

async function clear(channel: AmqpChannel, topology: TopologyRoom, { home, from, old }: Route): Promise<void> {
  for (const { queue } of old) {
    await channel.deleteQueue(queue)
    await channel.deleteQueue(topology.suspectQueue(queue))
  }
  if (from === 1) return
  const { exchange, keyless, members, wanting } = shardSet(home, from)
  await channel.deleteExchange(exchange)
  await channel.deleteExchange(keyless)
  await channel.deleteQueue(members)
  await channel.deleteQueue(wanting)
}
