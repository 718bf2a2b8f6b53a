import { sleep, systemPorts, type Logger } from '@waybill/core'
import type { Db } from '../database/tables.ts'
import { noteBusinessTime } from './business-time.ts'
import { expireRental, overdueRentals } from './expire.ts'
import type { RentalOutbox } from './rental-outbox.ts'

export interface ExpiryWatchOptions {
  readonly db: Db
  readonly outbox: RentalOutbox
  readonly logger: Logger
  /** Real time between looks at the business clock. @default 250 (milliseconds) */
  readonly everyMs?: number | undefined
}

/** What is looked at in one go; the rest is taken right after. */
const BATCH = 100
const NOTE_CLOCK_EVERY_MS = 1_000

/** Ends rentals as their time comes, until disposed; several may run at once. */
export function startExpiryWatch({ db, outbox, logger, everyMs = 250 }: ExpiryWatchOptions): AsyncDisposable {
  const stopped = new AbortController()
  let notedAtMs = 0
  const look = async () => {
    for (;;) {
      const overdue = await overdueRentals(db, BATCH)
      for (const id of overdue) {
        if (stopped.signal.aborted) return
        await expireRental(outbox, id)
      }
      if (overdue.length < BATCH) break
    }
    if (Date.now() - notedAtMs >= NOTE_CLOCK_EVERY_MS) {
      await noteBusinessTime(db)
      notedAtMs = Date.now()
    }
  }
  const running = (async () => {
    while (!stopped.signal.aborted) {
      await look().catch((error: unknown) => logger.warn({ error }, 'rentals could not be looked at for their end'))
      await sleep(systemPorts.timers, everyMs, stopped.signal).catch(() => undefined)
    }
  })()
  return {
    async [Symbol.asyncDispose]() {
      stopped.abort()
      await running
    },
  }
}
