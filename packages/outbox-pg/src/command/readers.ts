import { jsonLine, printable, UsageError } from '@waybill/core/command'
import { dropReader, moveReader } from '../log/move-reader.ts'
import type { ReaderStart } from '../log/reader-row.ts'
import { quoteSchema } from '../schema-name.ts'
import { logStatus } from '../status/log-status.ts'
import type { ReaderStatus } from '../status/reader-status.ts'
import { age } from '../status/problems.ts'
import { sure, type OutboxIo, type Place } from './outbox-io.ts'
import { table } from './status-text.ts'

export interface ReadersOrder {
  readonly action: string | undefined
  readonly names: readonly string[]
  readonly to?: string | undefined
  readonly time?: string | undefined
  readonly yes?: boolean | undefined
  readonly reason?: string | undefined
}

/** `waybill-outbox readers`: who reads the log, and ending or moving one. Checked before anything is opened. */
export function readers(order: ReadersOrder): (place: Place, io: OutboxIo) => Promise<number> {
  const { action, names } = order
  const [name] = names
  if (action === 'list' && names.length === 0) return list
  if (action !== 'drop' && action !== 'move') throw new UsageError('readers takes list, drop NAME or move NAME')
  if (names.length !== 1 || name === undefined) throw new UsageError(`readers ${action} takes one NAME`)
  const start = action === 'move' ? startOf(order) : undefined
  const reason = sure(`readers ${action}`, order)
  return async ({ pool, schema, json }, io) => {
    const quoted = quoteSchema(schema)
    if (start === undefined) {
      const [reader] = (await logStatus({ pool, schema, readers: [name] })).readers
      await dropReader(pool, quoted, name)
      const lost = reader?.pending ?? 0
      io.print(
        json
          ? jsonLine({ dropped: name, pending: lost, reason })
          : `${printable(name)} dropped, ${lost} messages were before it`,
      )
      return 0
    }
    const { next, first } = await moveReader(pool, quoted, name, start)
    if (first !== null && first > next) io.printError(`the log begins at id ${first}: what was before it is gone`)
    io.print(json ? jsonLine({ moved: name, next, first, reason }) : `${printable(name)} goes on at id ${next}`)
    return 0
  }
}

async function list(place: Place, io: OutboxIo): Promise<number> {
  const { readers: found } = await logStatus(place)
  if (place.json) for (const reader of found) io.print(jsonLine(reader))
  else {
    const rows = found.map((reader) => [
      reader.name,
      runBy(reader),
      String(reader.position),
      `${reader.pending}${reader.pendingAtLeast ? '+' : ''}`,
      reader.oldestPendingSeconds === null ? '-' : age(reader.oldestPendingSeconds),
      `from id ${reader.position + 1}`,
    ])
    const head = ['reader', 'run by', 'position', 'pending', 'oldest', 'holds the log']
    io.print(rows.length === 0 ? 'no readers yet' : table([head, ...rows]).join('\n'))
  }
  return 0
}

function runBy({ ranges, running, seenSecondsAgo }: ReaderStatus): string {
  if (running) return ranges.length === 1 ? 'running' : `${ranges.length} instances`
  const held = ranges.filter((range) => range.running).length
  return held === 0 ? `nobody, since ${age(seenSecondsAgo)}` : `${held} instances, a part by nobody`
}

function startOf({ to, time }: ReadersOrder): ReaderStart {
  if ((to === undefined) === (time === undefined))
    throw new UsageError('readers move takes --to POSITION or --time ISO')
  if (to === 'earliest' || to === 'latest') return to
  if (to !== undefined) {
    if (!/^\d{1,15}$/.test(to)) throw new UsageError(`--to is "${to}": give the id to go on at, earliest or latest`)
    return { position: to }
  }
  const timeMs = Date.parse(time!)
  if (Number.isNaN(timeMs)) throw new UsageError(`--time is "${time}": give a time such as 2026-01-31T12:00:00Z`)
  return { timeMs }
}
