import { PublishError, type CallOptions, type ParkedMessage, type ParkedStore, type WireMessage } from '@waybill/core'
import { textRows, type PgPool } from './database.ts'
import { insertError } from './database-errors.ts'
import { COLUMN_NAMES, fromRow, MESSAGE_COLUMNS, selectMessage, toRow } from './row.ts'
import { quoteSchema } from './schema-name.ts'

export interface ParkedStoreOptions {
  readonly pool: PgPool
  /** @default 'waybill' */
  readonly schema?: string | undefined
  /**
   * Hands a message to the service that gave it up, to it alone; `replay` then removes it.
   * @default written to the log for that service, where PostgreSQL itself is the carrier
   */
  readonly deliver?: ((parked: ParkedMessage, options?: CallOptions) => Promise<void>) | undefined
}

const PAGE = 100

/** A store for what services give up on, for transports that have no dead letters of their own: the table `parked`. */
export function parkedPg(options: ParkedStoreOptions): ParkedStore {
  const { pool, deliver } = options
  const schema = quoteSchema(options.schema)
  const select = `SELECT p.handle, p.service, p.reason, p.attempts, (extract(epoch FROM p.parked_at) * 1000)::bigint,
    ${selectMessage('p')} FROM ${schema}.parked p`

  const replayOne = async (handle: string, call?: CallOptions): Promise<void> => {
    call?.signal?.throwIfAborted()
    const [row] = /^\d{1,18}$/.test(handle) ? await textRows(pool, `${select} WHERE p.handle = $1`, [handle]) : []
    if (!row) throw notFound('replay', handle)
    const parked = parkedOf(row)
    if (deliver) {
      await deliver(parked, call)
      await textRows(pool, `DELETE FROM ${schema}.parked WHERE handle = $1`, [handle])
      return
    }
    const columns = COLUMN_NAMES.replace('transport, kind, destination', `'postgres', 'service', service`)
    await textRows(
      pool,
      `WITH gone AS (DELETE FROM ${schema}.parked WHERE handle = $1 RETURNING *)
       INSERT INTO ${schema}.outbox (${COLUMN_NAMES}) SELECT ${columns} FROM gone`,
      [handle],
    )
  }

  return {
    park(messages, { timeoutMs } = {}) {
      const columns: unknown[][] = [...MESSAGE_COLUMNS, 1, 2, 3, 4].map(() => [])
      let refused: unknown
      try {
        for (const { message, service, reason, attempts, parkedAtMs } of messages) {
          const values = [
            ...toRow(storable(message), undefined),
            service,
            clean(reason),
            attempts,
            new Date(parkedAtMs).toISOString(),
          ]
          values.forEach((value, index) => columns[index]!.push(value))
        }
      } catch (error) {
        refused = error
      }
      const types = [...MESSAGE_COLUMNS.map(([, type]) => type), 'text', 'text', 'int4', 'timestamptz']
      const written =
        refused === undefined
          ? textRows(
              pool,
              `INSERT INTO ${schema}.parked (${COLUMN_NAMES}, service, reason, attempts, parked_at)
               SELECT * FROM unnest(${types.map((type, index) => `$${index + 1}::${type}[]`).join(', ')})`,
              columns,
              timeoutMs,
            )
          : Promise.reject(refused)
      return messages.map(({ message }) =>
        written.then(
          () => undefined,
          (error: unknown) => Promise.reject(insertError(error, `message of type "${message.type}"`)),
        ),
      )
    },
    async *list(filter = {}, { signal } = {}) {
      let after = '0'
      for (;;) {
        signal?.throwIfAborted()
        const rows = await textRows(
          pool,
          `${select} WHERE p.handle > $1 AND ($2::text IS NULL OR p.service = $2) AND ($3::text IS NULL OR p.type = $3)
             AND ($4::text IS NULL OR p.ordering_key = $4)
           ORDER BY p.handle LIMIT ${PAGE}`,
          [after, filter.service ?? null, filter.type ?? null, filter.orderingKey ?? null],
        )
        for (const row of rows) yield parkedOf(row)
        if (rows.length < PAGE) return
        after = rows.at(-1)![0]!
      }
    },
    replay(handles, call) {
      // in the order given: one after another
      let before: Promise<unknown> = Promise.resolve()
      return handles.map((handle) => {
        const done = before.then(() => replayOne(handle, call))
        before = done.catch(() => undefined)
        return done
      })
    },
    discard(handles, _reason) {
      const numbers = handles.map((handle) => (/^\d{1,18}$/.test(handle) ? handle : null))
      const deleted = textRows(pool, `DELETE FROM ${schema}.parked WHERE handle = ANY ($1::int8[]) RETURNING handle`, [
        numbers,
      ])
      return handles.map((handle) =>
        deleted.then((rows) => {
          if (!rows.some(([done]) => done === handle)) throw notFound('discard', handle)
        }),
      )
    },
  }
}

function parkedOf(row: (string | null)[]): ParkedMessage {
  const message: WireMessage = fromRow(row, 5, null)
  return {
    handle: row[0]!,
    service: row[1]!,
    reason: row[2]!,
    attempts: Number(row[3]),
    parkedAtMs: Number(row[4]),
    message,
  }
}

const clean = (text: string) => text.replaceAll('\0', '')

/** U+0000 in a foreign message's key or name, which no text column takes, becomes its picture: what is not parked blocks its service. */
function storable(message: WireMessage): WireMessage {
  const shown = <T extends string | undefined>(text: T) => text?.replaceAll('\0', '␀') as T
  const { id, type, contentType, orderingKey, correlationId, replyTo, destination } = message
  const { name, subject } = destination
  return {
    ...message,
    id: shown(id),
    type: shown(type),
    contentType: shown(contentType),
    orderingKey: shown(orderingKey),
    correlationId: shown(correlationId),
    replyTo: shown(replyTo),
    destination: { ...destination, name: shown(name), subject: shown(subject) },
  }
}

function notFound(verb: string, handle: string): PublishError {
  return new PublishError(`${verb} of "${handle}": no such parked message, or it was taken care of meanwhile`, {
    retryable: false,
  })
}
