import { jsonLine, printable } from '@waybill/core/command'
import { logStatus } from '../status/log-status.ts'
import type { Failure } from './failure.ts'
import { pause, type OutboxIo, type Place } from './outbox-io.ts'
import { statusText } from './status-text.ts'

/** The status again and again until the user has seen enough. A database that is away is part of the story. */
export async function watch(
  place: Place,
  everySeconds: number,
  failureOf: (error: unknown) => Failure,
  io: OutboxIo,
): Promise<number> {
  while (!io.signal.aborted) {
    const time = new Date().toISOString()
    try {
      const status = await logStatus(place)
      if (place.json) io.print(jsonLine({ time, ...status }))
      else io.print(`${io.terminal ? '\u001b[2J\u001b[H' : ''}${time}\n${statusText(status)}`)
    } catch (error) {
      const failure = failureOf(error)
      io.printError(place.json ? jsonLine({ time, ...failure }) : `${time} ${printable(failure.error)}`)
    }
    await pause(everySeconds * 1_000, io.signal)
  }
  return 0
}
