import type { PartHealth } from '@waybill/core'
import type { PgPool } from '../database.ts'
import type { Buckets } from './buckets.ts'
import { advance, bind } from './gaps.ts'
import { Latch } from './latch.ts'
import { newTransactionId, readLog, type RowFilter } from './read.ts'
import { ReaderRow, type ReaderKind, type ReaderStart } from './reader-row.ts'
import { dueRows } from './retry-rows.ts'
import { Starts } from './starts.ts'
import { StatementNames } from '../statement-names.ts'
import { CHECKPOINT_MS, Tenure, type HeldRow } from './tenure.ts'

/** Whom a reader hands rows to. */
export interface RowConsumer {
  /** Whether one more row may be open: this one, or any small one. */
  room(row?: Pick<HeldRow, 'bytes' | 'crashes'>): boolean
  /** Takes a row, in the order of the log; settles it with `tenure.settle`, once. */
  take(row: HeldRow, tenure: Tenure): void
  /** A lease was got: called before the first row of it. */
  begin?(tenure: Tenure): Promise<void> | void
  /** Rows of more buckets come from now on. */
  joined?(buckets: Buckets): Promise<void> | void
}

export interface ReaderOptions {
  readonly pool: PgPool
  /** Quoted. */
  readonly schema: string
  readonly name: string
  readonly kind: ReaderKind
  readonly service: string
  readonly sources?: string | undefined
  readonly holder: string
  readonly filter: RowFilter
  readonly start: ReaderStart
  readonly consumer: RowConsumer
  /** What was given back comes again in order, after all that is open is settled. */
  readonly ordered: boolean
  readonly keyOrder: 'none' | 'block-key' | 'skip'
  readonly leaseMs: number
  /** What all who run this reader must agree on, as text. */
  readonly settings?: string | undefined
  /** Rows per read. */
  readonly batch: number
  /** The wait between looks when nothing comes. */
  readonly pollMs: number
  /** The reader's row had gone and was made anew: what came in between was missed. */
  readonly onReset?: (() => void) | undefined
}

const FIRST_POLL_MS = 5
const LAZY_CHECKPOINT_MS = 1_000
const STANDBY_MS = 500
const LONGEST_RETRY_MS = 5_000
/** Gaps and unsettled rows at most, as they have to fit the reader's row. */
const MAX_OPEN = 10_000
/** About as many bytes of bodies as one read may bring. */
const READ_BYTES = 8 * 1_048_576

/**
 * A named position in the log: takes its lease, reads on from where it was left, hands rows to its consumer. Instances that
 * run one reader hold a range of its buckets each; who comes is handed a half of one, who goes leaves its own to a neighbour.
 */
export class LogReader {
  readonly #options: ReaderOptions
  readonly #row: ReaderRow
  readonly #latch = new Latch()
  readonly #names = new StatementNames(true)
  #tenure: Tenure | undefined
  #stopping = false
  /** Another was asked for a half of its range. */
  #asked = false
  /** Another range is further behind than the one that is held. */
  #leaving = false
  #looked = false
  #registered = false
  #running: Promise<void> | undefined
  #drainUntilMs = Infinity
  #buffer: HeldRow[] = []
  readonly #starts: Starts
  #health: Omit<PartHealth, 'part'> = { state: 'degraded', sinceMs: Date.now(), reason: 'starting' }

  constructor(options: ReaderOptions) {
    this.#options = options
    this.#row = new ReaderRow(options.pool, options.schema, { ...options, names: this.#names })
    this.#starts = new Starts(options.kind === 'service' || options.kind === 'queue')
  }

  get name(): string {
    return this.#options.name
  }

  get health(): PartHealth {
    return { part: `reader ${this.name}`, ...this.#health }
  }

  /** Resolves when the reader's row exists: what is committed from now on will be handed on. */
  async start(): Promise<void> {
    await this.#row.register(this.#options.start)
    this.#registered = true
    this.#running = this.#run()
  }

  /** Like `start`, for readers that may wait for the database: it registers when that is there. */
  launch(): void {
    this.#running = this.#run()
  }

  /** There may be something new. */
  wake(): void {
    this.#looked = false
    this.#latch.set()
  }

  /** The consumer has room again, or a row was settled. */
  changed(): void {
    this.#latch.set()
  }

  /** The connection may have been another server's: forget what was read from it. */
  forget(reason: Error): void {
    this.#tenure?.end(reason)
  }

  /** Hands on no more, waits until what is open is settled or the time is up, and gives the lease back. */
  async stop(drainTimeoutMs: number): Promise<void> {
    this.#drainUntilMs = Math.min(this.#drainUntilMs, performance.now() + drainTimeoutMs)
    this.#stopping = true
    this.#tenure?.recall()
    this.#latch.set()
    await this.#running
    if (this.#asked) await this.#row.ranges?.withdraw(this.#options.holder).catch(() => undefined)
    if (this.#options.kind === 'process') await this.#row.remove().catch(() => undefined)
  }

  /** Runs `while` something handed out is open. What was only read goes back with the lease. */
  async #drain(tenure: Tenure): Promise<void> {
    while (!tenure.over && tenure.open > this.#buffer.length + tenure.returned) {
      const leftMs = this.#drainUntilMs - performance.now()
      if (leftMs <= 0) break
      await this.#latch.wait(leftMs)
    }
    await tenure.resign()
  }

  async #run(): Promise<void> {
    let failures = 0
    while (!this.#stopping) {
      try {
        const askedMs = performance.now()
        const grant = await this.#row.acquire(this.#options.holder)
        if (!grant) {
          // not there yet, or swept away while nobody was looking; else held by another
          if (await this.#row.register(this.#options.start)) {
            if (this.#registered) this.#options.onReset?.()
            this.#registered = true
            continue
          }
          this.#asked = true
          await this.#row.ranges?.ask(this.#options.holder)
          this.#say('up', 'standing by: other instances hold all of it')
          await this.#latch.wait(STANDBY_MS)
          continue
        }
        this.#starts.begin(grant)
        const tenure = new Tenure(this.#row, grant, {
          starts: this.#starts,
          askedMs,
          leaseMs: this.#options.leaseMs,
          ordered: this.#options.ordered,
          changed: () => this.#latch.set(),
        })
        this.#tenure = tenure
        this.#buffer = []
        this.#leaving = false
        try {
          if (this.#asked) await this.#row.ranges?.withdraw(this.#options.holder, grant.buckets)
          this.#asked = false
          await this.#options.consumer.begin?.(tenure)
          this.#say('up')
          await this.#lead(tenure)
          if (tenure.over) throw tenure.signal.reason
        } finally {
          // a lease that can be had while nothing can be stored would be taken, and all of it handed on, again and again
          if (tenure.stored) failures = 0
          if (this.#stopping || this.#leaving) await this.#drain(tenure)
          else tenure.end(new Error('the database failed'))
        }
      } catch (error) {
        if (this.#stopping) break
        failures++
        this.#say('down', reasonText(error))
        const boundMs = Math.min(LONGEST_RETRY_MS, 50 * 2 ** Math.min(failures, 10))
        // readers that were cut off together must not come back together
        await this.#rest(boundMs * (0.5 + Math.random() / 2))
      }
    }
  }

  /** Unlike a wait of the latch it ends early by `stop` alone: late confirms and new rows must not make the loop a hot one. */
  async #rest(timeoutMs: number): Promise<void> {
    const untilMs = performance.now() + timeoutMs
    for (let leftMs = timeoutMs; !this.#stopping && leftMs > 0; leftMs = untilMs - performance.now())
      await this.#latch.wait(leftMs)
  }

  async #lead(tenure: Tenure): Promise<void> {
    const { pool, schema, filter, consumer, batch, pollMs, keyOrder } = this.#options
    let waitMs = FIRST_POLL_MS
    let readAtMs = 0
    let retryAtMs = 0
    let bytesPerRow = 1_024
    this.#looked = false
    while (!this.#stopping && !tenure.over) {
      const { regroup } = tenure
      if (regroup === 'join') {
        const added = await tenure.join()
        if (tenure.over) break
        if (added) await consumer.joined?.(added)
        retryAtMs = 0
        this.#looked = false
      } else if (regroup !== undefined) {
        tenure.rest()
      }
      const resting = tenure.rewinding
      if (tenure.takeBack(resting ? this.#buffer.map(({ id }) => id) : [])) {
        if (resting) this.#buffer = []
        this.#looked = false
        this.#leaving = resting && regroup === 'leave'
        if (this.#leaving) return
        if (resting && regroup === 'split') await tenure.split()
        if (tenure.over) break
      }
      if (tenure.retryStale) retryAtMs = 0
      const nowMs = performance.now()
      const paused = nowMs < tenure.pausedUntilMs || tenure.rewinding
      if (!paused && nowMs >= retryAtMs && consumer.room()) {
        tenure.retryStale = false
        const due = await dueRows(
          pool,
          this.#names,
          schema,
          this.name,
          tenure.hold.buckets,
          keyOrder,
          [...tenure.retrying],
          batch,
        )
        if (tenure.over) break
        retryAtMs = performance.now() + Math.min(due.nextMs, Math.max(pollMs, 250))
        for (const found of due.rows) {
          const row = { ...found, crashes: tenure.starts.crashesOf(found.id) }
          if (!consumer.room(row)) {
            // one that has to wait until it is alone is not asked for all the time
            retryAtMs = row.crashes === undefined ? 0 : performance.now() + CHECKPOINT_MS
            break
          }
          tenure.retrying.add(row.id)
          consumer.take(row, tenure)
        }
      }
      const idle = this.#looked && nowMs < readAtMs
      if (!paused && !idle && this.#buffer.length < batch / 4) {
        this.#looked = true
        if (tenure.state.gaps.some(({ bound }) => bound === undefined)) {
          tenure.state = bind(tenure.state, await newTransactionId(pool))
        }
        const size = Math.max(1, Math.min(batch, Math.floor(READ_BYTES / bytesPerRow)))
        const full = tenure.open + tenure.state.gaps.length >= MAX_OPEN
        // what a settlement gives back meanwhile joins the state that the read began with
        const before = tenure.state
        const read = await readLog(pool, this.#names, schema, filter, tenure.hold.buckets, before, {
          gaps: size,
          page: full ? 0 : size,
        })
        if (tenure.over) break
        const { after, handOn } = advance(before, read)
        tenure.state = after
        let bytes = 0
        let own = 0
        for (const id of handOn) {
          const row = read.own.get(id)
          if (!row) continue
          bytes += row.bytes
          own++
          tenure.unsettled.add(id)
          this.#buffer.push({ ...row, attempts: 0, fromRetry: false, crashes: tenure.starts.crashesOf(id) })
        }
        if (own > 0) bytesPerRow = Math.max(256, bytes / own)
        if (handOn.length > 0 || after.gaps.length !== before.gaps.length) {
          // what is not ours moves the position too, but costs a restart nothing
          tenure.touch(own > 0 ? CHECKPOINT_MS : LAZY_CHECKPOINT_MS)
          waitMs = FIRST_POLL_MS
        } else {
          waitMs = Math.min(pollMs, waitMs * 2)
        }
        if (handOn.length >= size) this.#looked = false
        readAtMs = performance.now() + waitMs
      }
      let taken = 0
      while (this.#buffer[taken] && !tenure.rewinding && !tenure.over && consumer.room(this.#buffer[taken]!)) {
        consumer.take(this.#buffer[taken++]!, tenure)
      }
      if (taken > 0) this.#buffer.splice(0, taken)
      if (taken > 0 && !this.#looked) continue
      let untilMs = performance.now() + pollMs
      if (!tenure.rewinding) {
        if (this.#buffer.length < batch / 4) untilMs = Math.min(untilMs, this.#looked ? readAtMs : 0)
        if (consumer.room()) untilMs = Math.min(untilMs, retryAtMs)
      }
      await this.#latch.wait(Math.max(1, Math.max(untilMs, tenure.pausedUntilMs) - performance.now()))
    }
  }

  #say(state: PartHealth['state'], reason?: string): void {
    if (this.#health.state === state && this.#health.reason === reason) return
    this.#health = { state, sinceMs: Date.now(), reason }
  }
}

function reasonText(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown }
  return `${typeof code === 'string' ? `${code}: ` : ''}${String(message)}`
}
