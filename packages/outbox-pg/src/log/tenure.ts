import type { WireMessage } from '@waybill/core'
import { giveBack, type LogPosition } from './gaps.ts'
import type { Starts } from './starts.ts'
import type { LeaseGrant, Move, ReaderRow } from './reader-row.ts'

/** A row in the hands of a reader, from the log or from `outbox_retry`. */
export interface HeldRow {
  readonly id: number
  readonly message: WireMessage
  readonly bytes: number
  /** Failures counted so far. */
  readonly attempts: number
  readonly fromRetry: boolean
  /** Processes that ended while it was open, for all we know; `undefined` where there is no cause for suspicion. */
  readonly crashes?: number | undefined
}

/** What became of a held row. */
export type RowOutcome =
  | { readonly kind: 'done' }
  /** To be handed on again. */
  | { readonly kind: 'back'; readonly pauseMs: number }
  | ({ readonly kind: 'move' } & Pick<Move, 'attempts' | 'delayMs' | 'error' | 'headers' | 'parked'>)

/** How late a settlement may be stored. */
export const CHECKPOINT_MS = 50

/**
 * One time of holding a reader's lease: what was read, what is open, what is to be stored. Ends with the first write that
 * the database refuses or does not answer; all of it is forgotten then, and the next tenure reads it from the database.
 */
export class Tenure {
  readonly token: string
  readonly starts: Starts
  /** From the log and not settled, buffered ones included. */
  readonly unsettled = new Set<number>()
  /** From `outbox_retry` and not settled. */
  readonly retrying = new Set<number>()
  state: LogPosition
  /** `outbox_retry` was written: what is due there is to be asked anew. */
  retryStale = false
  /** Nothing is read before this time of `performance.now()`. */
  pausedUntilMs = 0
  /** Whether any write of it took effect. */
  stored = false
  readonly #row: ReaderRow
  readonly #leaseMs: number
  readonly #ordered: boolean
  readonly #changed: () => void
  readonly #ended = new AbortController()
  #recalled = new AbortController()
  #back: number[] = []
  #rewinding = false
  #moves: Move[] = []
  #dropped: number[] = []
  #dirty = false
  #trouble: string | null | undefined
  #timer: NodeJS.Timeout | undefined
  #timerAtMs = 0
  #writing: Promise<void> = Promise.resolve()
  #renewedMs = performance.now()
  #watch: NodeJS.Timeout

  constructor(
    row: ReaderRow,
    grant: LeaseGrant,
    options: {
      readonly leaseMs: number
      readonly ordered: boolean
      readonly starts: Starts
      readonly askedMs: number
      readonly changed: () => void
    },
  ) {
    this.#row = row
    this.token = grant.token
    this.starts = options.starts
    this.state = grant.state
    this.#leaseMs = options.leaseMs
    this.#ordered = options.ordered
    this.#changed = options.changed
    this.#renewedMs = options.askedMs
    this.#watch = setInterval(() => this.#watchLease(), Math.max(20, this.#leaseMs / 4))
    this.#watch.unref()
  }

  /** Hard: the lease is gone. */
  get signal(): AbortSignal {
    return this.#ended.signal
  }

  /** Soft: being given back. A new one after each rewind. */
  get recalled(): AbortSignal {
    return this.#recalled.signal
  }

  get over(): boolean {
    return this.#ended.signal.aborted
  }

  /** Nothing may be handed on while what was given back waits for the rest. */
  get rewinding(): boolean {
    return this.#rewinding
  }

  get open(): number {
    return this.unsettled.size + this.retrying.size
  }

  /** How many of those were given back and wait to be read again. */
  get returned(): number {
    return this.#back.length
  }

  settle(row: HeldRow, outcome: RowOutcome): void {
    if (this.over) return
    if (row.crashes !== undefined) {
      this.starts.ended(row, outcome.kind === 'back')
      this.touch(outcome.kind === 'back' ? 1 : CHECKPOINT_MS)
    }
    if (outcome.kind === 'back') {
      this.#giveBack(row, outcome.pauseMs)
    } else {
      // a row of outbox_retry counts as held until its change is stored, else it would be found due once more
      if (!row.fromRetry) this.unsettled.delete(row.id)
      if (outcome.kind === 'move') this.#moves.push({ ...outcome, id: row.id, fromRetry: row.fromRetry })
      else if (row.fromRetry) this.#dropped.push(row.id)
      this.touch(outcome.kind === 'move' || row.fromRetry ? 1 : CHECKPOINT_MS)
    }
    this.#changed()
  }

  /** Resolves when it is stored that this row is being started; a row that ends the process is known by it. */
  async countStart(row: HeldRow): Promise<void> {
    this.starts.begun(row)
    this.#dirty = true
    await this.flush()
  }

  #giveBack(row: HeldRow, pauseMs: number): void {
    this.pausedUntilMs = Math.max(this.pausedUntilMs, performance.now() + pauseMs)
    if (row.fromRetry) {
      // its row still says that it is due: forgetting it here is enough
      this.retrying.delete(row.id)
      return
    }
    this.#back.push(row.id)
    if (this.#ordered) {
      this.#rewinding = true
      this.#recalled.abort()
    }
  }

  /**
   * What was given back joins the gaps, to be read again; in an ordered reader only once nothing is open, together with
   * what is buffered. Called by the reading loop alone, between two reads: a read under way knows nothing of it.
   */
  takeBack(buffered: Iterable<number>): boolean {
    if (this.#back.length === 0) return false
    if (this.#rewinding) {
      const ids = [...buffered]
      if (this.retrying.size > 0 || this.unsettled.size > this.#back.length + ids.length) return false
      this.#back.push(...ids)
      this.#rewinding = false
      this.#recalled = new AbortController()
    }
    for (const id of this.#back) this.unsettled.delete(id)
    this.state = giveBack(
      this.state,
      this.#back.sort((left, right) => left - right),
    )
    this.#back = []
    return true
  }

  /** What there is trouble with, for those who look from outside; `undefined`: nothing any more. */
  tell(trouble: string | undefined): void {
    this.#trouble = trouble ?? null
    this.touch(CHECKPOINT_MS)
  }

  /** Something is to be stored, within so many milliseconds. */
  touch(withinMs: number): void {
    this.#dirty = true
    const atMs = performance.now() + withinMs
    if (this.#timer && this.#timerAtMs <= atMs) return
    clearTimeout(this.#timer)
    this.#timerAtMs = atMs
    this.#timer = setTimeout(() => void this.flush(), withinMs)
  }

  /** Stores what there is to store. Never rejects: a write that fails ends the tenure. */
  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#writing = this.#writing.then(() => this.#write())
    return this.#writing
  }

  async #write(): Promise<void> {
    if (this.over || !this.#dirty) return
    this.#dirty = false
    const moves = this.#moves.splice(0)
    const dropped = this.#dropped.splice(0)
    const trouble = this.#trouble
    this.#trouble = undefined
    const starts = this.starts.takeChange()
    const askedMs = performance.now()
    try {
      const held = await this.#row.write(this.token, this.state, this.unsettled, moves, dropped, { trouble, starts })
      if (held) {
        this.stored = true
        this.#renewedMs = askedMs
      } else this.end(new Error('the lease was taken over'))
    } catch (error) {
      this.end(error as Error)
    }
    for (const move of moves) if (move.fromRetry) this.retrying.delete(move.id)
    for (const id of dropped) this.retrying.delete(id)
    if (moves.length > 0 || dropped.length > 0) {
      this.retryStale = true
      this.#changed()
    }
  }

  #watchLease(): void {
    if (performance.now() - this.#renewedMs > this.#leaseMs)
      this.end(new Error('the lease could not be renewed in time'))
    else if (performance.now() - this.#renewedMs > this.#leaseMs / 4) this.touch(1)
  }

  recall(): void {
    this.#recalled.abort()
  }

  end(reason: Error): void {
    if (this.over) return
    clearInterval(this.#watch)
    clearTimeout(this.#timer)
    this.#recalled.abort(reason)
    this.#ended.abort(reason)
    this.#changed()
  }

  /** Stores what is settled and gives the lease back. */
  async resign(): Promise<void> {
    this.#dirty = true
    await this.flush()
    if (!this.over) {
      this.end(new Error('stopped'))
      await this.#row.release(this.token).catch(() => undefined)
    }
    this.end(new Error('stopped'))
  }
}
