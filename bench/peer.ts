import type { PoolClient } from 'pg'

/** Another way to get messages out of a PostgreSQL transaction, set up as its own manual makes it fastest. */
export interface Peer extends AsyncDisposable {
  readonly name: string
  /** What it is set to, for the table. */
  readonly settings: string
  /** How many messages keep its worker busy for some seconds. */
  readonly backlog: number
  /** How a message is added in a transaction, for the table. */
  readonly adds: string
  /** Leaves so many messages of 1 KiB, and no others. */
  fill(count: number): Promise<void>
  /** Starts its worker, which calls `handled` for each message; disposing stops it. */
  work(handled: () => void): Promise<AsyncDisposable>
  /** Adds a message of 1 KiB in the client's transaction. */
  enqueue(client: PoolClient): Promise<unknown>
}

/** Splits a count into steps of at most a thousand. */
export async function byThousands(count: number, step: (size: number) => Promise<unknown>): Promise<void> {
  for (let left = count; left > 0; left -= 1_000) await step(Math.min(left, 1_000))
}
