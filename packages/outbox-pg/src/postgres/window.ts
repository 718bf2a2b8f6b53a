import type { Delivery, Settlement, Source, SubscribeOptions, WireHeaders } from '@waybill/core'
import type { RowConsumer } from '../log/reader.ts'
import type { HeldRow, RowOutcome, Tenure } from '../log/tenure.ts'
import { writeHeaders } from '../row.ts'
import { reads } from './registry.ts'

const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 1_000
/** From so many ended processes on a row is open alone, so that no neighbour is counted with it. */
const ALONE_FROM = 2
/** Nobody else is let in while one that is to be alone waits; it asks again more often than this. */
const ALONE_WAIT_MS = 2_000

/** The open deliveries of one subscription, over all readers that it has. */
export class DeliveryWindow implements RowConsumer {
  readonly #options: SubscribeOptions
  readonly #deliver: (delivery: Delivery) => Promise<Settlement>
  readonly #onRoom: () => void
  #open = 0
  #bytes = 0
  #paused = false
  #pauseMs = FIRST_PAUSE_MS
  #alone = false
  #aloneAskedMs = -Infinity
  #counting: Promise<unknown> | undefined

  constructor(options: SubscribeOptions, deliver: (delivery: Delivery) => Promise<Settlement>, onRoom: () => void) {
    this.#options = options
    this.#deliver = deliver
    this.#onRoom = onRoom
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#onRoom()
  }

  room({ bytes, crashes = 0 }: Pick<HeldRow, 'bytes' | 'crashes'> = { bytes: 0 }): boolean {
    const { maxOpen, maxOpenBytes } = this.#options
    if (this.#paused || this.#alone) return false
    if (this.#mustBeAlone(crashes)) {
      this.#aloneAskedMs = performance.now()
      return this.#open === 0
    }
    if (performance.now() - this.#aloneAskedMs < ALONE_WAIT_MS) return false
    return this.#open === 0 || (this.#open < maxOpen && this.#bytes + bytes <= maxOpenBytes)
  }

  take(row: HeldRow, tenure: Tenure): void {
    if (!wanted(this.#options.sources, this.#options.service, row)) return tenure.settle(row, { kind: 'done' })
    const alone = this.#mustBeAlone(row.crashes)
    if (alone) {
      this.#alone = true
      this.#aloneAskedMs = -Infinity
    }
    this.#open++
    this.#bytes += row.bytes
    void this.#handle(row, tenure, this.#counted(row, tenure)).finally(() => {
      if (alone) this.#alone = false
      this.#open--
      this.#bytes -= row.bytes
      this.#onRoom()
    })
  }

  #mustBeAlone(crashes = 0): boolean {
    return crashes >= ALONE_FROM && !this.#options.ackBefore
  }

  /** What a row has to wait for before it is handed on: that its start is stored, and that none overtakes another. */
  #counted(row: HeldRow, tenure: Tenure): Promise<unknown> | undefined {
    if (row.crashes === undefined || this.#options.ackBefore) return this.#counting
    const counting = Promise.all([this.#counting, tenure.countStart(row)]).finally(() => {
      if (this.#counting === counting) this.#counting = undefined
    })
    this.#counting = counting
    return counting
  }

  async #handle(row: HeldRow, tenure: Tenure, counted: Promise<unknown> | undefined): Promise<void> {
    if (counted) {
      await counted
      if (tenure.over) return
    }
    const delivery: Delivery = {
      message: row.message,
      attempt: row.attempts + 1,
      ...(row.crashes !== undefined && { crashes: row.crashes }),
      position: String(row.id),
      recalled: tenure.recalled,
      signal: tenure.signal,
    }
    if (this.#options.ackBefore) {
      tenure.settle(row, { kind: 'done' })
      await tenure.flush()
      // not stored, so it comes again; stored, so it never does
      if (!tenure.over) await this.#deliver(delivery).catch(() => undefined)
      return
    }
    const settlement = await this.#deliver(delivery).catch((): Settlement => ({ outcome: 'release' }))
    tenure.settle(row, this.#outcome(settlement, row))
  }

  #outcome(settlement: Settlement, row: HeldRow): RowOutcome {
    if (settlement.outcome === 'ack') {
      this.#pauseMs = FIRST_PAUSE_MS
      return { kind: 'done' }
    }
    if (settlement.outcome === 'release') {
      const pauseMs = this.#pauseMs
      this.#pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)
      return { kind: 'back', pauseMs }
    }
    const { notes } = settlement
    const reason = notes['waybill-reason']
    return {
      kind: 'move',
      attempts: Math.max(row.attempts + 1, settlement.outcome === 'deadLetter' ? failuresIn(notes) : 0),
      delayMs: settlement.outcome === 'requeue' ? settlement.delayMs : undefined,
      error: typeof reason === 'string' ? reason : settlement.outcome,
      headers: writeHeaders({ ...row.message.headers, ...notes }) ?? undefined,
      parked: settlement.outcome === 'deadLetter',
    }
  }
}

/** A delivery may have been tried several times in its process; what is parked tells of them all. */
function failuresIn(notes: WireHeaders): number {
  const failures = Number(notes['waybill-failures'])
  return Number.isSafeInteger(failures) ? failures : 0
}

/** The statement filters by kind and name; subjects are patterns, and are looked at here. */
function wanted(sources: readonly Source[], service: string, { message, fromRetry }: HeldRow): boolean {
  const { destination } = message
  if (fromRetry || (destination.kind === 'service' && destination.name === service)) return true
  return sources.some((source) => reads(source, destination))
}
