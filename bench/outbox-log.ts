import { defineEvent, type Destination } from '@waybill/core'
import { createOutbox, type Outbox } from '@waybill/outbox-pg'
import { anything, textOf } from './payload.ts'
import type { BenchDatabase } from './bench-database.ts'

const A_TRANSACTION = 500
export const KEYS = 1_000

export const KIB = textOf(1_024)
type Data = typeof KIB

/** The same message for all rows of a bench: 1 KiB, with one of a thousand ordering keys in turn. */
export function eventTo(destination: Partial<Destination>) {
  let turn = 0
  return defineEvent('bench.happened', {
    schema: anything<Data>(),
    destination,
    orderingKey: () => String(turn++ % KEYS),
  })
}

export type BenchEvent = ReturnType<typeof eventTo>

export function outboxOf({ pool, schema }: BenchDatabase, transport: string): Outbox {
  return createOutbox({ db: pool, source: '/bench', schema, transport })
}

/** Commits so many rows. */
export async function fill(outbox: Outbox, event: BenchEvent, count: number): Promise<void> {
  for (let left = count; left > 0; left -= A_TRANSACTION) {
    await outbox.transaction((_trx, messages) => {
      for (let n = Math.min(left, A_TRANSACTION); n > 0; n--) messages.publish(event, KIB)
      return Promise.resolve()
    })
  }
}

/** Resolves once so many were counted. */
export class Countdown {
  readonly done: Promise<void>
  #left: number
  #resolve: () => void = () => {}

  constructor(count: number) {
    this.#left = count
    this.done = new Promise((resolve) => (this.#resolve = resolve))
  }

  count(): void {
    if (--this.#left === 0) this.#resolve()
  }
}
