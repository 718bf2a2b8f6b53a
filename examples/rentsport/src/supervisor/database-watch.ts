import type { Pool } from 'pg'
import { PartState, type PartReport } from './part-state.ts'

const LOOK_EVERY_MS = 500
const ANSWER_WITHIN_MS = 2_000

/** Asks the database at intervals whether it is there, until disposed. */
export class DatabaseWatch implements AsyncDisposable {
  readonly #pool: Pool
  readonly #state = new PartState('database', 'not asked yet')
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  #looking: Promise<void>

  constructor(pool: Pool) {
    this.#pool = pool
    this.#looking = this.#look()
  }

  report(): PartReport {
    return this.#state.report()
  }

  async #look(): Promise<void> {
    try {
      const statement = { text: 'select 1', query_timeout: ANSWER_WITHIN_MS }
      await this.#pool.query(statement)
      this.#state.up()
    } catch (error) {
      this.#state.down(error instanceof Error ? error.message : String(error))
    }
    if (!this.#stopped) this.#timer = setTimeout(() => void (this.#looking = this.#look()), LOOK_EVERY_MS)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    await this.#looking
    clearTimeout(this.#timer)
  }
}
