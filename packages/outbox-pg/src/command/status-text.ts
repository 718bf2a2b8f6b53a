import { printable } from '@waybill/core/command'
import type { LogStatus } from '../status/log-status.ts'
import { age } from '../status/problems.ts'

/** The status for somebody at a terminal: what is wrong first, then who stands where. */
export function statusText(status: LogStatus): string {
  const { schemaVersion, lastId, partitions, scheduled, oldestPendingSeconds, readers, problems } = status
  const oldest = oldestPendingSeconds === null ? 'nothing pending' : `oldest pending ${age(oldestPendingSeconds)}`
  const head = `schema version ${schemaVersion}, last id ${lastId}, ${partitions} partitions, ${scheduled} scheduled, ${oldest}`
  const told =
    problems.length === 0
      ? ['all is well']
      : problems.flatMap(({ level, text, advice }) => [
          `${level === 'blocked' ? '!!' : ' !'} ${printable(text)}`,
          `   do: ${printable(advice)}`,
        ])
  const rows = readers.flatMap((reader) => {
    const { name, position, pendingAtLeast, waiting, parked, running, seenSecondsAgo, destinations } = reader
    const pending = `${reader.pending}${pendingAtLeast ? '+' : ''}`
    const seen = running ? 'running' : `not running, seen ${age(seenSecondsAgo)} ago`
    const since = reader.oldestPendingSeconds === null ? '-' : age(reader.oldestPendingSeconds)
    const own = [name, String(position), pending, since, String(waiting), String(parked), seen]
    const places = destinations.map((place) => [
      `  ${place.destination}`,
      '',
      String(place.pending + place.waiting),
      age(place.oldestSeconds),
      String(place.waiting),
      String(place.parked),
      '',
    ])
    return [own, ...places]
  })
  const columns = [['reader', 'position', 'pending', 'oldest', 'waiting', 'parked', 'state'], ...rows]
  return [head, ...told, ...(readers.length === 0 ? ['no readers yet'] : table(columns))].join('\n')
}

/** Rows in columns as wide as their widest entry. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const shown = rows.map((row) => row.map(printable))
  const widths = shown[0]!.map((_, column) => Math.max(...shown.map((row) => row[column]!.length)))
  return shown.map((row) =>
    row
      .map((text, column) => text.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
}
