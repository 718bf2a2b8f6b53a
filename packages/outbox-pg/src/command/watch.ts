import { jsonLine, printable, textOf } from '@waybill/core/command'
import { logStatus } from '../status/log-status.ts'
import { pause, type OutboxIo, type Place } from './outbox-io.ts'
import { statusText } from './status-text.ts'

/** The status again and again until the user has seen enough. A database that is away is part of the story. */
export async function watch(place: Place, everySeconds: number, io: OutboxIo): Promise<number> {
  while (!io.signal.aborted) {
    const time = new Date().toISOString()
    try {
      const status = await logStatus(place)
      if (place.json) io.print(jsonLine({ time, ...status }))
      else io.print(`${io.terminal ? '\u001b[2J\u001b[H' : ''}${time}\n${statusText(status)}`)
    } catch (error) {
      io.printError(`${time} ${printable(textOf(error))}`)
    }
    await pause(everySeconds * 1_000, io.signal)
  }
  return 0
}
