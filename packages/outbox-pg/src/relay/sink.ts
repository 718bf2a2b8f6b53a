import {
  keyedPublisher,
  publishFault,
  PublishError,
  reasonOf,
  type Logger,
  type PartHealth,
  type Publisher,
  type Telemetry,
} from '@waybill/core'
import type { PgPool } from '../database.ts'
import type { Buckets } from '../log/buckets.ts'
import type { RowConsumer } from '../log/reader.ts'
import type { HeldRow, Tenure } from '../log/tenure.ts'
import { BlockedKeys } from './blocked-keys.ts'
import { DESTINATION_WAIT_MS } from './options.ts'

export interface SinkOptions {
  readonly name: string
  /** Name of its reader. */
  readonly reader: string
  readonly publisher: Publisher
  /** Rows that name no carrier are handed on, or refused as there are several. */
  readonly only: boolean
  readonly pool: PgPool
  readonly schema: string
  readonly window: number
  readonly retryMs: readonly number[]
  readonly onParked: 'block-key' | 'skip'
  readonly logger: Logger
  readonly telemetry: Telemetry | undefined
  readonly onRoom: () => void
}

/** A destination that takes nothing now. */
interface Refused {
  readonly sinceMs: number
  /** When its rows leave the log, by a clock that nobody sets. */
  readonly divertAtMs: number
  reason: string
  /** Its rows have left the log. */
  diverted: boolean
  /** One of them is on its way, to see. */
  probing: boolean
}

/** A window of large bodies is a small one. */
const WINDOW_BYTES = 16 * 1_048_576
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 10_000

/** Hands rows to one carrier within a window of confirms, and decides what becomes of those it does not take. */
export class RelaySink implements RowConsumer {
  readonly #options: SinkOptions
  readonly #publisher: Publisher
  readonly #blocked = new BlockedKeys()
  /** Since when a destination refuses, and whether its rows leave the log by now. */
  readonly #refused = new Map<string, Refused>()
  #batch: { row: HeldRow; tenure: Tenure }[] = []
  #open = 0
  #openBytes = 0
  #pauseMs = FIRST_PAUSE_MS
  #health: Omit<PartHealth, 'part'> = { state: 'up', sinceMs: Date.now() }
  /** What the reader's row says; not known at the begin of a tenure. */
  #told: { readonly tenure: Tenure; readonly reason: string | undefined } | undefined

  constructor(options: SinkOptions) {
    this.#options = options
    this.#publisher = keyedPublisher(options.publisher)
  }

  get health(): PartHealth {
    const [refused] = this.#refused
    const part = `carrier ${this.#options.name}`
    if (this.#health.state === 'up' && refused !== undefined) {
      const [place, { sinceMs, reason }] = refused
      return { part, state: 'degraded', sinceMs, reason: `destination ${place} refuses: ${reason}` }
    }
    return { part, ...this.#health }
  }

  /** Stores why nothing or not all goes, where `status` sees it. */
  #tell(tenure: Tenure): void {
    const reason = this.#health.state === 'up' && this.#refused.size === 0 ? undefined : this.health.reason
    if (this.#told?.tenure === tenure && this.#told.reason === reason) return
    this.#told = { tenure, reason }
    tenure.tell(reason)
  }

  begin({ hold }: Tenure): Promise<void> {
    this.#blocked.clear()
    return this.#load(hold.buckets)
  }

  joined(buckets: Buckets): Promise<void> {
    return this.#load(buckets)
  }

  #load(buckets: Buckets): Promise<void> {
    const { pool, schema, reader, onParked } = this.#options
    return this.#blocked.load(pool, schema, reader, buckets, onParked === 'skip')
  }

  room(row?: Pick<HeldRow, 'bytes'>): boolean {
    if (this.#open >= this.#options.window) return false
    return this.#open === 0 || this.#openBytes + (row?.bytes ?? 0) <= WINDOW_BYTES
  }

  take(row: HeldRow, tenure: Tenure): void {
    const { message, fromRetry } = row
    if (!this.#options.only && message.destination.transport === undefined) {
      const error = new PublishError('the row names no carrier, and there are several: createOutbox({ transport })', {
        retryable: false,
      })
      return this.#refuse(row, tenure, error)
    }
    // what came before it waits in outbox_retry: it has to wait there too
    if (!fromRetry && this.#blocked.has(message))
      return this.#divert(row, tenure, 0, 'waits behind an earlier message of its key')
    const refused = this.#refusedAt(row)
    if (refused?.diverted) {
      if (!fromRetry || refused.probing)
        return this.#divert(row, tenure, DESTINATION_WAIT_MS, 'its destination refuses')
      refused.probing = true
    }
    this.#open++
    this.#openBytes += row.bytes
    this.#batch.push({ row, tenure })
    if (this.#batch.length === 1) queueMicrotask(() => this.#publish())
  }

  #publish(): void {
    const batch = this.#batch
    this.#batch = []
    const promises = this.#handOver(batch.map(({ row }) => row.message))
    batch.forEach(({ row, tenure }, index) => {
      promises[index]!.then(
        () => {
          this.#leave(row)
          this.#confirmed(row, tenure)
        },
        (error: unknown) => {
          this.#leave(row)
          this.#failed(row, tenure, error)
        },
      )
    })
  }

  #leave(row: HeldRow): void {
    this.#open--
    this.#openBytes -= row.bytes
    this.#options.onRoom()
  }

  #refusedAt(row: HeldRow): Refused | undefined {
    return this.#refused.size === 0 ? undefined : this.#refused.get(placeOf(row))
  }

  #handOver(messages: HeldRow['message'][]): readonly Promise<void>[] {
    let cause: unknown
    try {
      const promises = this.#publisher.publish(messages)
      if (promises.length === messages.length) return promises
      for (const promise of promises) promise.catch(() => undefined)
    } catch (error) {
      cause = error
    }
    const text = `carrier "${this.#options.name}" broke its contract: publish gives one promise per message and does not throw`
    const error = new PublishError(text, { scope: 'transport', mayExist: true, cause })
    return messages.map(() => Promise.reject(error))
  }

  #confirmed(row: HeldRow, tenure: Tenure): void {
    this.#pauseMs = FIRST_PAUSE_MS
    if (this.#refused.size > 0) this.#refused.delete(placeOf(row))
    if (this.#health.state !== 'up') this.#health = { state: 'up', sinceMs: Date.now() }
    if (row.fromRetry) this.#blocked.remove(row.message)
    this.#tell(tenure)
    tenure.settle(row, { kind: 'done' })
  }

  #failed(row: HeldRow, tenure: Tenure, error: unknown): void {
    const { scope } = publishFault(causeOf(error))
    if (scope === 'transport') return this.#wait(row, tenure, error)
    if (scope === 'destination') return this.#destinationFailed(row, tenure, error)
    this.#refuse(row, tenure, error)
  }

  /** The carrier is away: nothing moves and nothing is counted. */
  #wait(row: HeldRow, tenure: Tenure, error: unknown): void {
    if (this.#health.state === 'up') {
      this.#health = {
        state: 'down',
        sinceMs: Date.now(),
        reason: `broker "${this.#options.name}" is away: ${reasonOf(error)}`,
      }
      this.#options.logger.warn(
        { transport: this.#options.name, reason: reasonOf(error) },
        'the relay waits for its carrier',
      )
    }
    this.#tell(tenure)
    const place = this.#refusedAt(row)
    if (place) place.probing = false
    const pauseMs = this.#pauseMs
    // one step per pause, however many of the window failed with it
    if (!tenure.rewinding) this.#pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)
    tenure.settle(row, { kind: 'back', pauseMs })
  }

  /** One destination refuses: all wait for it a little, then its rows leave the log, and one of them probes. */
  #destinationFailed(row: HeldRow, tenure: Tenure, error: unknown): void {
    const place = placeOf(row)
    let refused = this.#refused.get(place)
    if (!refused) {
      const divertAtMs = performance.now() + DESTINATION_WAIT_MS
      refused = { sinceMs: Date.now(), divertAtMs, reason: reasonOf(error), diverted: false, probing: false }
      this.#refused.set(place, refused)
    }
    refused.reason = reasonOf(error)
    this.#tell(tenure)
    if (row.fromRetry) {
      refused.diverted = true
      refused.probing = false
      return this.#divert(row, tenure, DESTINATION_WAIT_MS, reasonOf(error))
    }
    if (!refused.diverted && performance.now() < refused.divertAtMs) {
      return tenure.settle(row, { kind: 'back', pauseMs: 1_000 })
    }
    refused.diverted = true
    this.#divert(row, tenure, DESTINATION_WAIT_MS, reasonOf(error))
  }

  /** Out of the way of others, not counted as a try. */
  #divert(row: HeldRow, tenure: Tenure, delayMs: number, error: string): void {
    if (!row.fromRetry) this.#blocked.add(row.message)
    tenure.settle(row, { kind: 'move', attempts: row.attempts, delayMs, error, headers: undefined, parked: false })
  }

  /** The carrier refuses this very message: again later, then parked. */
  #refuse(row: HeldRow, tenure: Tenure, error: unknown): void {
    const { retryMs, onParked, logger, telemetry, name } = this.#options
    // those of its key that were handed over behind it failed with it, through no fault of theirs
    if (!row.fromRetry && this.#blocked.has(row.message)) return this.#divert(row, tenure, 0, reasonOf(error))
    const attempts = row.attempts + 1
    const delayMs = publishFault(error).retryable ? retryMs[attempts - 1] : undefined
    const parked = delayMs === undefined
    const skipped = parked && onParked === 'skip'
    if (row.fromRetry && skipped) this.#blocked.remove(row.message)
    if (!row.fromRetry && !skipped) this.#blocked.add(row.message)
    if (parked) {
      telemetry?.count('outboxDeadLetters', { transport: name })
      logger.error(
        { transport: name, id: row.message.id, type: row.message.type, reason: reasonOf(error) },
        'message parked',
      )
    }
    tenure.settle(row, { kind: 'move', attempts, delayMs, error: reasonOf(error), headers: undefined, parked })
  }
}

/** What waited behind a failed one of its key carries that one's error: a broker that is away makes no bad messages of them. */
function causeOf(error: unknown): unknown {
  const cause = error instanceof PublishError ? error.cause : undefined
  return cause instanceof PublishError && publishFault(cause).scope !== 'message' ? cause : error
}

function placeOf({ message }: HeldRow): string {
  return `${message.destination.kind} "${message.destination.name}"`
}
