import { ConfigError, reasonOf, sleep } from '@waybill/core'
import type { AmqpChannel } from './client.ts'
import { closeChannel } from './close-channel.ts'
import type { Link, Session } from './connection.ts'
import { MemberSign } from './member-sign.ts'
import type { ResolvedOptions } from './options.ts'
import type { QueueReader } from './reader.ts'
import { chooseShards } from './shard-choice.ts'
import { lockShard, unlockShard } from './shard-lock.ts'
import type { ShardSet } from './shards.ts'
import type { QueuePlan } from './queue-plan.ts'
import type { TopologyRoom } from './topology.ts'

/** How often an instance looks whether its share has changed; a fifth more or less, so that they don't look at once. */
const LOOK_EVERY_MS = 1_000

interface ClaimRooms {
  readonly link: Link
  readonly options: ResolvedOptions
  readonly topology: TopologyRoom
}

/** Makes readers, which the subscription keeps. */
interface ClaimOwner {
  open(plan: QueuePlan): QueueReader
  /** Resolves once the reader has settled what it had. */
  leave(reader: QueueReader): Promise<void>
}

/** Which shards of a queue this instance reads: its share among all instances, found by looking at the queues alone. */
export class ShardClaims {
  readonly #set: ShardSet
  readonly #plans: readonly QueuePlan[]
  readonly #rooms: ClaimRooms
  readonly #owner: ClaimOwner
  readonly #held = new Map<QueuePlan, QueueReader>()
  /** Left, and not yet settled. */
  readonly #leaving = new Set<QueuePlan>()
  readonly #stopping = new AbortController()
  #running: Promise<void> | undefined
  #problem: string | undefined
  #begun: ((error?: Error) => void) | undefined

  constructor(set: ShardSet, plans: readonly QueuePlan[], rooms: ClaimRooms, owner: ClaimOwner) {
    this.#set = set
    this.#plans = plans
    this.#rooms = rooms
    this.#owner = owner
  }

  /** Why it can't tell its share right now. */
  get problem(): string | undefined {
    return this.#problem
  }

  /** Resolves once it reads what it took at its first look. @throws {ConfigError} */
  start(): Promise<void> {
    const begun = new Promise<void>((resolve, reject) => {
      this.#begun = (error) => {
        this.#begun = undefined
        if (error) reject(error)
        else resolve()
      }
    })
    this.#running = this.#run()
    return begun
  }

  /** Takes no more; the readers stay with the subscription. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('stopped'))
    await this.#running
  }

  async #run(): Promise<void> {
    const { link, options } = this.#rooms
    const { signal } = this.#stopping
    const { home } = this.#set
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        const session = await link.ready(signal, this.#begun === undefined)
        await this.#join(session, () => (attempt = 0))
      } catch (error) {
        if (signal.aborted) break
        this.#problem = `shards of "${home}": ${(error as Error).message}`
        if (error instanceof ConfigError) this.#begun?.(error)
        options.logger.warn({ queue: home, reason: reasonOf(error) }, 'share of shards not known, trying again')
      }
      await this.#pause(Math.min(options.reconnectMs.max, 100 * 2 ** Math.min(attempt, 20)))
    }
    this.#begun?.(new ConfigError('stopped before it began to read'))
  }

  /** Counts as an instance for as long as the channel lives, and looks again and again. */
  async #join(session: Session, onLooked: () => void): Promise<void> {
    for (const plan of this.#plans) await this.#rooms.topology.declarePlan(session, 'ordered', plan)
    // the locks went with the last session, and another instance may have been quicker
    for (const plan of this.#held.keys()) if (!(await lockShard(session, plan.queue))) this.#give(session, plan)
    const channel = await session.connection.createChannel()
    channel.on('error', () => {})
    const { members, wanting } = this.#set
    const want = new MemberSign(channel, wanting)
    try {
      await new MemberSign(channel, members).show(true)
      while (!this.#stopping.signal.aborted) {
        await this.#look(session, channel, want)
        this.#problem = undefined
        this.#begun?.()
        onLooked()
        await this.#pause(LOOK_EVERY_MS)
      }
    } finally {
      await closeChannel(channel, session)
    }
  }

  async #look(session: Session, channel: AmqpChannel, want: MemberSign): Promise<void> {
    const consumersOf = async (queue: string) => (await channel.checkQueue(queue)).consumerCount
    const shards = []
    for (const plan of this.#plans) {
      const free = (await consumersOf(plan.queue)) === 0 && !this.#leaving.has(plan)
      shards.push({ held: this.#held.has(plan), free })
    }
    const instances = Math.max(1, await consumersOf(this.#set.members))
    const wanting = await consumersOf(this.#set.wanting)
    if (this.#stopping.signal.aborted) return
    const choice = chooseShards({ shards, instances, wanting }, this.#rooms.options.ports.random)
    await want.show(choice.want)
    if (choice.give !== undefined) this.#give(session, this.#plans[choice.give]!)
    await Promise.all(choice.take.map((index) => this.#take(session, this.#plans[index]!)))
  }

  async #take(session: Session, plan: QueuePlan): Promise<void> {
    if (!(await lockShard(session, plan.queue)) || this.#stopping.signal.aborted) return
    const reader = this.#owner.open(plan)
    this.#held.set(plan, reader)
    try {
      await reader.start()
    } catch (error) {
      this.#give(session, plan)
      throw error
    }
  }

  #give(session: Session, plan: QueuePlan): void {
    const reader = this.#held.get(plan)!
    this.#held.delete(plan)
    this.#leaving.add(plan)
    void this.#owner
      .leave(reader)
      .then(() => unlockShard(session, plan.queue))
      .catch((error: Error) => {
        // without its connection the lock is gone as well
        this.#rooms.options.logger.warn({ queue: plan.queue, reason: reasonOf(error) }, 'shard not unlocked')
      })
      .finally(() => this.#leaving.delete(plan))
  }

  async #pause(ms: number): Promise<void> {
    const { timers, random } = this.#rooms.options.ports
    await sleep(timers, ms * (0.8 + 0.4 * random()), this.#stopping.signal).catch(() => {})
  }
}
