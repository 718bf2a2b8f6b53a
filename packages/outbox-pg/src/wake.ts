import type { PgPool } from './database.ts'

/** Tells readers of this process that there may be something new. Only ever a hint: polling is the truth. */
export class Wake {
  readonly #listeners = new Set<() => void>()
  #hinted: NodeJS.Timeout | undefined
  #hintsEndMs = 0

  listen(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  fire(): void {
    for (const listener of this.#listeners) listener()
  }

  /** Something was written whose commit is not seen from here: looks after 1, 2, 4 … 50 ms, for a second. */
  hint(): void {
    this.#hintsEndMs = performance.now() + 1_000
    if (this.#hinted) return
    const look = (waitMs: number) => {
      this.#hinted = setTimeout(() => {
        this.#hinted = undefined
        this.fire()
        if (performance.now() < this.#hintsEndMs) look(Math.min(waitMs * 2, 50))
      }, waitMs)
      this.#hinted.unref()
    }
    look(1)
  }
}

/** Tells other processes by NOTIFY, never inside a transaction: at most one is under way, the next covers all since. */
export class Notifier {
  readonly #pool: PgPool
  readonly #channel: string
  #running: Promise<void> | undefined
  #again = false

  constructor(pool: PgPool, channel: string) {
    this.#pool = pool
    this.#channel = channel
  }

  notify(): void {
    if (this.#running) {
      this.#again = true
      return
    }
    this.#running = this.#send().finally(() => {
      this.#running = undefined
      if (this.#again) {
        this.#again = false
        this.notify()
      }
    })
  }

  async #send(): Promise<void> {
    // a lost hint costs one poll interval, so its failure is nobody's error
    await this.#pool
      .query({ text: `SELECT pg_notify($1, '')`, values: [this.#channel], query_timeout: 5_000 })
      .catch(() => undefined)
  }
}

/** The NOTIFY channel of a schema. */
export const channelOf = (schema: string): string => `waybill:${schema}`
