import type { WireMessage } from '@waybill/core'
import type { Buckets } from './buckets.ts'
import { giveBack, resume, without, type LogPosition } from './gaps.ts'
import type { Hold, LeaseGrant } from './lease.ts'
import { JOIN_WITHIN, type ReaderRanges } from './ranges.ts'
import type { Held, Move, ReaderRow } from './reader-row.ts'
import type { Starts } from './starts.ts'

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
  /** The range of buckets, and what its lease is known by. */
  hold: Hold
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
  #held: Held = { wanted: false, free: undefined }
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
    this.hold = { buckets: grant.buckets, token: grant.token }
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

  /**
   * What the other instances of this reader give cause for: to hand over a half of the range, to join a free one to it, or to
   * leave it for a free one that is far behind. For the first and last nothing may be open: `rest`.
   */
  get regroup(): 'split' | 'join' | 'leave' | undefined {
    const { wanted, free } = this.#held
    if (wanted) return 'split'
    if (free === undefined || free > this.state.position + JOIN_WITHIN) return undefined
    return free < this.state.position - JOIN_WITHIN ? 'leave' : 'join'
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
    if (this.#back.length === 0 && !this.#rewinding) return false
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

  /** Hands on no more until all that is open is settled or given back, as after a give-back in an ordered reader. */
  rest(): void {
    if (this.#rewinding) return
    this.#rewinding = true
    this.#recalled.abort()
  }

  /** Hands a half of the range to whoever asked for it. Nothing may be open. */
  split(): Promise<void> {
    return this.#regroup(async (ranges) => {
      const split = await ranges.split(this.hold)
      if (split === undefined) return
      this.hold = { ...this.hold, buckets: split.kept }
      this.starts.forget(split.counts)
      // the wait was for what was recalled
      this.pausedUntilMs = 0
    })
  }

  /** Takes the free range beside this one into it, and returns what it added. Called by the reading loop between two reads. */
  async join(): Promise<Buckets | undefined> {
    const open = [...this.unsettled].sort((left, right) => left - right)
    return this.#regroup(async (ranges) => {
      const joined = await ranges.join(this.hold)
      if (joined === undefined) return undefined
      const { buckets, token, added } = joined
      this.hold = { buckets, token }
      // what was open here when it was stored is still in somebody's hands, or settled meanwhile
      this.state = resume(joined.position, without(joined.open, open))
      this.starts.join(joined)
      return added
    })
  }

  /** Stores all there is, then changes the range before anything else is stored; whether that worked must be known. */
  #regroup<T>(change: (ranges: ReaderRanges) => Promise<T>): Promise<T | undefined> {
    this.#dirty = true
    const changed = this.#writing.then(async () => {
      await this.#write()
      this.#held = { wanted: false, free: undefined }
      return this.over ? undefined : await change(this.#row.ranges!)
    })
    const safe = changed.catch((error: unknown) => {
      this.end(error as Error)
      return undefined
    })
    this.#writing = safe.then(() => undefined)
    return safe
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
      const held = await this.#row.write(this.hold, this.state, this.unsettled, moves, dropped, { trouble, starts })
      if (held) {
        this.stored = true
        this.#renewedMs = askedMs
        this.#held = held
        if (this.regroup !== undefined) this.#changed()
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
      await this.#row.release(this.hold).catch(() => undefined)
    }
    this.end(new Error('stopped'))
  }
}
