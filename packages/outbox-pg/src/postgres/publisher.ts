import { PublishError, TimeoutError, type CallOptions, type WireMessage } from '@waybill/core'
import { insertError, insertFault } from '../database-errors.ts'
import { inserter } from '../insert.ts'
import { checkLimits } from '../outbox/limits.ts'
import { writeHeaders } from '../row.ts'
import type { ResolvedPostgresOptions } from './options.ts'
import { TRANSPORT } from './reader-names.ts'
import type { Registry } from './registry.ts'

interface Pending {
  readonly message: WireMessage
  readonly bytes: number
  settled: boolean
  onSettled: () => void
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

const BATCH_MESSAGES = 500
const BATCH_BYTES = 4 * 1_048_576

/**
 * Publishes by INSERT: one statement at a time for all that waits, so that ids are given out in the order of the calls.
 * When a statement fails, all that waited behind it fails with it: what is confirmed of a key is a prefix.
 */
export class LogPublisher {
  readonly #options: ResolvedPostgresOptions
  readonly #registry: Registry
  readonly #onWritten: () => void
  readonly #insertsOf: ReturnType<typeof inserter>
  #queue: Pending[] = []
  #inFlight: Pending[] = []
  #count = 0
  #bytes = 0
  #running: Promise<void> | undefined

  constructor(options: ResolvedPostgresOptions, registry: Registry, onWritten: () => void) {
    this.#options = options
    this.#insertsOf = inserter({ schema: options.quoted, transport: TRANSPORT, dedupeMs: 0 })
    this.#registry = registry
    this.#onWritten = onWritten
  }

  publish(messages: readonly WireMessage[], options: CallOptions = {}): readonly Promise<void>[] {
    const entries: Pending[] = []
    const promises = messages.map(
      (message) =>
        new Promise<void>((resolve, reject) => {
          const refused = this.#refuse(message)
          if (refused) return reject(refused)
          const bytes = (message.body?.byteLength ?? 0) + 256
          const entry: Pending = { message, bytes, settled: false, onSettled: () => {}, resolve, reject }
          entries.push(entry)
          this.#queue.push(entry)
          this.#count++
          this.#bytes += bytes
        }),
    )
    if (entries.length > 0) {
      this.#guard(entries, options)
      // calls of the same tick go into one statement
      this.#running ??= Promise.resolve().then(() => this.#run())
    }
    return promises
  }

  /** Resolves when nothing waits to be written. */
  async drain(): Promise<void> {
    await this.#running
  }

  #refuse(message: WireMessage): PublishError | undefined {
    const { maxPendingMessages, maxPendingBytes } = this.#options
    if (this.#count >= maxPendingMessages || this.#bytes >= maxPendingBytes) {
      return new PublishError(
        `publish refused: ${this.#count} messages wait to be written to PostgreSQL already; slow down, or check the database`,
        { scope: 'transport' },
      )
    }
    try {
      checkLimits(message, this.#options)
      writeHeaders(message.headers)
      return undefined
    } catch (error) {
      return error as PublishError
    }
  }

  /** Time-out and abort of one call. */
  #guard(entries: readonly Pending[], { signal, timeoutMs = this.#options.publishTimeoutMs }: CallOptions): void {
    let open = entries.length
    const timer = setTimeout(() => {
      const cause = new TimeoutError(
        `publish not confirmed within ${timeoutMs} ms: raise publishTimeoutMs or check the database`,
      )
      const error = new PublishError(cause.message, { scope: 'transport', mayExist: true, cause })
      // later messages of their keys must not be confirmed after them
      this.#failAll(error)
    }, timeoutMs)
    const onAbort = () => {
      for (const entry of entries) this.#settle(entry, signal!.reason)
    }
    const done = () => {
      if (--open > 0) return
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
    for (const entry of entries) entry.onSettled = done
    if (signal?.aborted) onAbort()
    else signal?.addEventListener('abort', onAbort)
  }

  #settle(entry: Pending, error?: unknown): void {
    if (entry.settled) return
    entry.settled = true
    this.#count--
    this.#bytes -= entry.bytes
    entry.onSettled()
    if (error === undefined) entry.resolve()
    else entry.reject(error)
  }

  #failAll(error: unknown): void {
    for (const entry of [...this.#inFlight, ...this.#queue.splice(0)]) this.#settle(entry, error)
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      this.#inFlight = this.#next()
      if (this.#inFlight.length > 0) await this.#write(this.#inFlight)
      this.#inFlight = []
    }
    this.#running = undefined
  }

  #next(): Pending[] {
    let bytes = 0
    let count = 0
    while (count < this.#queue.length && count < BATCH_MESSAGES && bytes < BATCH_BYTES)
      bytes += this.#queue[count++]!.bytes
    return this.#queue.splice(0, count).filter(({ settled }) => !settled)
  }

  async #write(batch: readonly Pending[]): Promise<void> {
    try {
      const unroutable = await this.#registry.unroutable(batch.map(({ message }) => message))
      const routable = this.#settleFailed(batch, ({ message }) => unroutable.get(message))
      if (routable.length === 0) return
      try {
        await this.#insert(routable)
      } catch (error) {
        if (!isAtFault(error)) throw error
        // one of them is at fault: the others must not pay
        await this.#insertSingly(routable)
      }
    } catch (error) {
      this.#failAll(insertError(error, 'messages'))
    }
  }

  /** Rejects those with an error, and those of their keys behind them; returns the rest. */
  #settleFailed(entries: readonly Pending[], errorOf: (entry: Pending) => unknown): Pending[] {
    const failedKeys = new Set<string>()
    return entries.filter((entry) => {
      const key = laneOf(entry.message)
      const error = key !== undefined && failedKeys.has(key) ? behindFailed(entry.message) : errorOf(entry)
      if (error === undefined) return true
      this.#settle(entry, error)
      if (key !== undefined) failedKeys.add(key)
      return false
    })
  }

  async #insertSingly(entries: readonly Pending[]): Promise<void> {
    const errors = new Map<Pending, unknown>()
    const failedKeys = new Set<string>()
    for (const entry of entries) {
      const key = laneOf(entry.message)
      if (key !== undefined && failedKeys.has(key)) continue
      try {
        await this.#insert([entry])
      } catch (error) {
        if (!isAtFault(error)) throw error
        errors.set(entry, insertError(error, `message of type "${entry.message.type}"`))
        if (key !== undefined) failedKeys.add(key)
      }
    }
    this.#settleFailed(entries, (entry) => errors.get(entry))
  }

  async #insert(entries: readonly Pending[]): Promise<void> {
    const { pool, publishTimeoutMs } = this.#options
    // whoever publishes here has chosen the carrier; the definition's own word would put the row where no reader looks
    const rows = entries.map(({ message }) => ({
      message: { ...message, destination: { ...message.destination, transport: TRANSPORT } },
    }))
    // messages with a delivery time lie in a table of their own; each statement is a transaction
    for (const statement of this.#insertsOf(rows)) {
      await pool.query({ ...statement, query_timeout: publishTimeoutMs })
    }
    for (const entry of entries) this.#settle(entry)
    this.#onWritten()
  }
}

function isAtFault(error: unknown): boolean {
  return error instanceof PublishError || insertFault(error).scope === 'message'
}

function laneOf({ destination, orderingKey }: WireMessage): string | undefined {
  return orderingKey === undefined ? undefined : JSON.stringify([destination.kind, destination.name, orderingKey])
}

function behindFailed({ destination }: WireMessage): PublishError {
  return new PublishError(`publish to "${destination.name}" not tried: an earlier message of its ordering key failed`)
}
