import { replay, type Order } from '@waybill/core/command'
import { ConfigError, type CallOptions, type Parked, type ParkedMessage } from '@waybill/core'
import { textRows, type PgPool } from '../database.ts'
import { parkedRows } from '../parked-rows.ts'
import { parkedPg } from '../parked-store.ts'
import { quoteSchema } from '../schema-name.ts'
import { channelOf, Notifier } from '../wake.ts'
import type { OutboxIo, Place } from './outbox-io.ts'

/** `waybill-outbox parked`: what readers gave up on (`<id>@<reader>`), and what services parked in their store (`<number>`). */
export function parked(order: Order, open: () => Place, io: OutboxIo): Promise<number> {
  return replay(
    async () => {
      const { pool, schema } = open()
      await textRows(pool, `SELECT FROM ${quoteSchema(schema)}.parked LIMIT 0`)
      const notifier = new Notifier(pool, channelOf(schema ?? 'waybill'))
      const rows = parkedRows({ pool, schema: quoteSchema(schema), onReplay: () => notifier.notify() })
      return { parked: both(rows, readFromLog(pool, quoteSchema(schema), parkedPg({ pool, schema }))) }
    },
    order,
    io,
  )
}

/** A store's message goes back by the log, which helps only where its service reads the log. */
function readFromLog(pool: PgPool, schema: string, store: Parked): Parked {
  const replayOne = async (handle: string, options?: CallOptions) => {
    const [row] = await textRows(
      pool,
      `SELECT p.service, EXISTS (SELECT FROM ${schema}.reader WHERE name = 'service/' || p.service)
       FROM ${schema}.parked p WHERE p.handle = $1`,
      [/^\d{1,18}$/.test(handle) ? handle : null],
    )
    if (row && row[1] !== 't') {
      throw new ConfigError(
        `service "${row[0]}" does not read from PostgreSQL: replay it with "waybill replay" and a --config whose store delivers to its broker`,
      )
    }
    await store.replay([handle], options)[0]
  }
  return { ...store, replay: (handles, options) => handles.map((handle) => replayOne(handle, options)) }
}

/** One face over both places: a handle tells by its form where it belongs. */
function both(rows: Parked, store: Parked): Parked {
  const each = (handles: readonly string[], act: (parked: Parked, handle: string) => Promise<void>) => {
    let before: Promise<unknown> = Promise.resolve()
    return handles.map((handle) => {
      // one after another, so that the order given is the order of their keys
      const done = before.then(() => act(handle.includes('@') ? rows : store, handle))
      before = done.catch(() => undefined)
      return done
    })
  }
  return {
    async *list(filter, options): AsyncIterable<ParkedMessage> {
      yield* rows.list(filter, options)
      yield* store.list(filter, options)
    },
    replay: (handles, options) => each(handles, (parked, handle) => parked.replay([handle], options)[0]!),
    discard: (handles, reason, options) =>
      each(handles, (parked, handle) => parked.discard([handle], reason, options)[0]!),
  }
}
