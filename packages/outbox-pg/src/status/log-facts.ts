import type { GapOwner } from './gap-owner.ts'
import type { ReaderStatus } from './reader-status.ts'
import type { OpenWriter } from './writers.ts'

/** What was read of the log, nothing judged yet. */
export interface LogFacts {
  readonly schemaVersion: number
  readonly lastId: number
  readonly partitions: number
  /** Rows that no partition was made for in time, counted up to 10,000. */
  readonly inDefaultPartition: number
  readonly scheduled: number
  /** Age of the oldest message that its reader has not settled, in seconds. */
  readonly oldestPendingSeconds: number | null
  readonly readers: readonly ReaderStatus[]
  /** Transactions that wrote to the outbox and have not ended, the oldest first, 5 at most. */
  readonly writers: readonly OpenWriter[]
  /** Who keeps ids open, where a reader has so many open that it is about to wait for them, or does. */
  readonly gapOwner: GapOwner | null
  /** Among the newest 10,000 rows: where messages go that have no reader. */
  readonly unread: readonly {
    readonly transport: string | null
    readonly destination: string
    readonly count: number
  }[]
}
