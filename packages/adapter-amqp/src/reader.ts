import { ConfigError, ConnectionError, sleep } from '@waybill/core'
import type { SubscribeOptions } from '@waybill/core'
import type { AmqpMessage } from './client.ts'
import type { Link, Session } from './connection.ts'
import type { ResolvedOptions } from './options.ts'
import { Tap } from './tap.ts'
import type { QueuePlan } from './queue-plan.ts'
import type { TopologyRoom } from './topology.ts'

interface ReaderOwner {
  onMessage(tap: Tap, raw: AmqpMessage): void
  /** Resolves when reading may go on. */
  whenReading(): Promise<void>
  /** The queue is about to be read through this channel. */
  onReading(tap: Tap): Promise<void>
}

/** Keeps one queue consumed: declares, opens, consumes, and does it all again whenever that ends. */
export class QueueReader {
  readonly plan: QueuePlan
  readonly #link: Link
  readonly #options: ResolvedOptions
  readonly #topology: TopologyRoom
  readonly #subscription: SubscribeOptions
  readonly #owner: ReaderOwner
  readonly #stopping = new AbortController()
  #tap: Tap | undefined
  #problem: string | undefined
  #running: Promise<void> | undefined
  #begun: ((error?: Error) => void) | undefined
  #retired = false

  constructor(
    link: Link,
    options: ResolvedOptions,
    topology: TopologyRoom,
    subscription: SubscribeOptions,
    plan: QueuePlan,
    owner: ReaderOwner,
  ) {
    this.#link = link
    this.#options = options
    this.#topology = topology
    this.#subscription = subscription
    this.plan = plan
    this.#owner = owner
  }

  get tap(): Tap | undefined {
    return this.#tap
  }

  /** Why nothing is consumed right now. */
  get problem(): string | undefined {
    return this.#problem
  }

  /** Resolves at the first consume; rejects at a wrong configuration. */
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

  async consume(tap: Tap): Promise<void> {
    const { consumerTag } = await tap.channel.consume(tap.queue, (raw) => {
      if (raw === null) tap.end(new ConnectionError(`the broker ended reading of queue "${tap.queue}": deleted?`))
      else if (tap.live) {
        tap.took(raw)
        this.#owner.onMessage(tap, raw)
      }
    })
    tap.consumerTag = consumerTag
  }

  /** Keeps its channel for what is open, and opens no other. */
  retire(): void {
    this.#retired = true
  }

  /** Hands on no more; ends once what is open is settled, and gives the rest back in order. */
  async leave(): Promise<void> {
    this.#retired = true
    const tap = this.#tap
    if (tap === undefined) this.#stopping.abort(new ConnectionError('left'))
    else tap.recall()
    await this.#running
  }

  async stop(): Promise<void> {
    this.#retired = true
    this.#stopping.abort(new ConnectionError('stopped'))
    this.#tap?.end(this.#stopping.signal.reason as Error)
    await this.#running
  }

  async #run(): Promise<void> {
    const { ports, logger, reconnectMs } = this.#options
    for (let attempt = 0; !this.#retired; attempt++) {
      let reason: Error
      const startedMs = ports.clock.nowMs()
      try {
        const session = await this.#link.ready(this.#stopping.signal, this.#begun === undefined)
        reason = await this.#live(session)
        if (reason.name === 'Recall' || ports.clock.nowMs() - startedMs > 2_000) attempt = -1
      } catch (error) {
        reason = error as Error
      }
      if (this.#retired) break
      this.#problem = reason.message
      if (reason instanceof ConfigError) this.#begun?.(reason)
      if (attempt < 0 && reason.name === 'Recall') {
        await this.#owner.whenReading()
        continue
      }
      logger.warn({ queue: this.plan.queue, reason: reason.message }, 'not reading, trying again')
      const boundMs = Math.min(reconnectMs.max, 100 * 2 ** Math.min(Math.max(attempt, 0), 20))
      await sleep(ports.timers, boundMs * (0.5 + 0.5 * ports.random()), this.#stopping.signal).catch(() => {})
    }
    this.#begun?.(new ConnectionError('stopped before it began to read'))
  }

  async #live(session: Session): Promise<Error> {
    const { mode, maxOpen } = this.#subscription
    await this.#topology.declarePlan(session, mode, this.plan)
    const channel = await session.connection.createChannel()
    const prefetch = Math.min(this.#options.prefetch ?? maxOpen, maxOpen, 65_535)
    const tap = new Tap(this.plan.queue, channel, prefetch, this.#options)
    let fault: Error | undefined
    channel.on('error', (error: Error) => (fault = error))
    channel.on('handler-error', (error: Error) => (fault = error))
    let gone = false
    channel.on('close', () => {
      gone = true
      tap.end(fault ?? new ConnectionError(`channel of queue "${this.plan.queue}" closed`))
    })
    if (this.#stopping.signal.aborted) tap.end(this.#stopping.signal.reason as Error)
    this.#tap = tap
    try {
      await channel.prefetch(prefetch)
      await this.#owner.whenReading()
      if (tap.live) await this.#owner.onReading(tap)
      if (tap.live) await this.consume(tap)
      this.#problem = undefined
      this.#begun?.()
      return await tap.ended
    } catch (error) {
      tap.end(error as Error)
      throw error
    } finally {
      this.#tap = undefined
      await tap.close(gone)
    }
  }
}
