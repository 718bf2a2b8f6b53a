import { MessagingError } from '@waybill/core'
import { readConfig } from './config.ts'
import { startRentSport } from './supervisor/rentsport.ts'
import { onStopSignals } from './supervisor/stop-signals.ts'

/** `npm start`: everything that RentSport needs, in one command. Says what it does on stderr; the last line of stdout says where. */
const say = (line: string) => void process.stderr.write(`[rentsport] ${line}\n`)
const STOP_WITHIN_MS = 9_000

const stopping = new AbortController()
const kills = new Set<() => void>()
const endAtOnce = (code: number) => {
  for (const kill of kills) kill()
  process.exit(code)
}
onStopSignals(
  () => {
    say('stopping')
    stopping.abort()
    setTimeout(() => endAtOnce(1), STOP_WITHIN_MS).unref()
  },
  () => endAtOnce(130),
)

try {
  const rentSport = await startRentSport({ config: readConfig(), say, signal: stopping.signal, kills })
  if (rentSport !== undefined) {
    if (!stopping.signal.aborted) {
      process.stdout.write(`RentSport is ready: ${rentSport.url}\n`)
      await new Promise((resolve) => stopping.signal.addEventListener('abort', resolve, { once: true }))
    }
    await rentSport[Symbol.asyncDispose]()
  }
  process.exit(0)
} catch (error) {
  say(
    error instanceof MessagingError ? error.message : `failed: ${error instanceof Error ? error.stack : String(error)}`,
  )
  endAtOnce(1)
}
