import { sleep, systemPorts } from '@waybill/core'
import type { PaymentDb } from './payment-tables.ts'
import { statusesAfter, type StoredStatus } from './store.ts'

/** Another process may write the status: this often we look without having been told. */
const LOOK_EVERY_MS = 500

/** A payment's statuses, from the first on and as they come, for any number of watchers. */
export class StatusFeed {
  readonly #db: PaymentDb
  readonly #watchers = new Map<string, Set<() => void>>()

  constructor(db: PaymentDb) {
    this.#db = db
  }

  /** Something was committed about this payment. */
  changed(paymentId: string): void {
    for (const wake of this.#watchers.get(paymentId) ?? []) wake()
  }

  /** Ends after the final status. @throws the signal's reason */
  async *watch(paymentId: string, signal?: AbortSignal): AsyncGenerator<StoredStatus, void, undefined> {
    for (let number = 0; ;) {
      signal?.throwIfAborted()
      // Begun before the look: what is committed in between wakes us.
      const change = this.#nextChange(paymentId, signal)
      try {
        for (const status of await statusesAfter(this.#db, paymentId, number)) {
          yield status
          number = status.number
          if (status.status === 'COMPLETED' || status.status === 'FAILED') return
        }
        await change.happened
      } finally {
        change.forget()
      }
    }
  }

  #nextChange(paymentId: string, signal: AbortSignal | undefined) {
    const done = new AbortController()
    const watchers = this.#watchers.get(paymentId) ?? new Set()
    this.#watchers.set(paymentId, watchers)
    const wake = () => done.abort()
    watchers.add(wake)
    const until = signal === undefined ? done.signal : AbortSignal.any([done.signal, signal])
    return {
      happened: sleep(systemPorts.timers, LOOK_EVERY_MS, until).catch(() => undefined),
      forget: () => {
        done.abort()
        watchers.delete(wake)
        if (watchers.size === 0) this.#watchers.delete(paymentId)
      },
    }
  }
}
