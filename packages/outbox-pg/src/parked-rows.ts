import { PublishError, type CallOptions, type Parked, type ParkedMessage } from '@waybill/core'
import { textRows, type PgPool } from './database.ts'
import { fromRow, selectMessage } from './row.ts'

const PAGE = 100

/** What readers gave up on: rows of `outbox_retry`. A handle is `<id>@<reader>`. */
export function parkedRows(options: {
  readonly pool: PgPool
  readonly schema: string
  readonly onReplay: () => void
  /** @default the rows of all readers */
  readonly readers?: readonly string[] | undefined
}): Parked {
  const { pool, schema, onReplay } = options
  return {
    async *list(filter = {}, { signal }: CallOptions = {}): AsyncIterable<ParkedMessage> {
      let after: [string, string, string] = ['-infinity', '', '0']
      for (;;) {
        signal?.throwIfAborted()
        const rows = await textRows(
          pool,
          `SELECT r.reader, r.id, r.service, r.last_error, r.attempts,
             (extract(epoch FROM r.parked_at) * 1000)::bigint, r.parked_at::text, ${selectMessage('r')}
           FROM ${schema}.outbox_retry r
           WHERE r.parked_at IS NOT NULL AND (r.parked_at, r.reader, r.id) > ($1::timestamptz, $2, $3::bigint)
             AND ($4::text IS NULL OR r.service = $4) AND ($5::text IS NULL OR r.type = $5)
             AND ($6::text IS NULL OR r.ordering_key = $6)
             AND ($7::text[] IS NULL OR r.reader = ANY ($7))
           ORDER BY r.parked_at, r.reader, r.id LIMIT ${PAGE}`,
          [...after, filter.service ?? null, filter.type ?? null, filter.orderingKey ?? null, options.readers ?? null],
        )
        for (const row of rows) {
          yield {
            handle: `${row[1]}@${row[0]}`,
            service: row[2]!,
            reason: row[3] ?? '',
            attempts: Number(row[4]),
            parkedAtMs: Number(row[5]),
            message: fromRow(row, 7, row[1]!),
          }
        }
        const last = rows.at(-1)
        if (!last || rows.length < PAGE) return
        after = [last[6]!, last[0]!, last[1]!]
      }
    },
    replay(handles) {
      // in the order given: one after another, each due a little later than the one before, their failures forgotten
      const due = new Map(handles.map((handle, index) => [handle, index]))
      const written = textRows(
        pool,
        `UPDATE ${schema}.outbox_retry r SET parked_at = NULL, attempts = 0,
           headers = (SELECT json_object_agg(key, value)::text FROM json_each(r.headers::json)
             WHERE NOT starts_with(key, 'waybill-')),
           next_attempt_at = clock_timestamp() + given.place * interval '1 microsecond'
         FROM unnest($1::int8[], $2::text[], $3::int8[]) AS given(id, reader, place)
         WHERE r.id = given.id AND r.reader = given.reader AND r.parked_at IS NOT NULL
         RETURNING r.id || '@' || r.reader`,
        [...columns(handles), handles.map((handle) => due.get(handle)!)],
      )
      void written.then(onReplay, () => undefined)
      return settleEach(handles, written, 'replay')
    },
    discard(handles, _reason) {
      const deleted = textRows(
        pool,
        `DELETE FROM ${schema}.outbox_retry r USING unnest($1::int8[], $2::text[]) AS given(id, reader)
         WHERE r.id = given.id AND r.reader = given.reader AND r.parked_at IS NOT NULL
         RETURNING r.id || '@' || r.reader`,
        columns(handles),
      )
      return settleEach(handles, deleted, 'discard')
    },
  }
}

function columns(handles: readonly string[]): [(string | null)[], string[]] {
  const parts = handles.map((handle) => /^(\d{1,18})@(.*)$/s.exec(handle))
  return [parts.map((part) => part?.[1] ?? null), parts.map((part) => part?.[2] ?? '')]
}

function settleEach(handles: readonly string[], written: Promise<(string | null)[][]>, verb: string): Promise<void>[] {
  return handles.map((handle) =>
    written.then((rows) => {
      if (rows.some(([done]) => done === handle)) return
      throw new PublishError(`${verb} of "${handle}": no such parked message, or it was taken care of meanwhile`, {
        retryable: false,
      })
    }),
  )
}
