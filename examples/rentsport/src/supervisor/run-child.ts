import { setTimeout as delay } from 'node:timers/promises'
import type { PartReport } from './part-state.ts'
import { RoomWatch } from './room-watch.ts'

export interface ChildRoom extends AsyncDisposable {
  health(): Promise<readonly PartReport[]>
}

const REPORT_EVERY_MS = 500
const STOP_TIMEOUT_MS = 5_000
/** What a room has in hand when it ends gets so long: less than its process. */
export const DRAIN_TIMEOUT_MS = 4_000

/**
 * Runs one room as a process of its own: tells the parent how it is, and ends on SIGTERM, or when the parent is gone,
 * however it went. SIGINT is the parent's business: a terminal sends it to everybody.
 */
export async function runChild(start: () => Promise<ChildRoom>): Promise<void> {
  const stopped = new AbortController()
  const stop = () => {
    if (stopped.signal.aborted) return
    stopped.abort()
    setTimeout(() => process.exit(1), STOP_TIMEOUT_MS).unref()
  }
  process.on('SIGINT', () => undefined)
  process.on('SIGTERM', stop)
  process.on('disconnect', stop)
  try {
    const room = await start()
    const watch = new RoomWatch('health', () => room.health())
    while (!stopped.signal.aborted) {
      if (process.connected) process.send!({ kind: 'health', parts: watch.report() }, () => undefined)
      await delay(REPORT_EVERY_MS, undefined, { signal: stopped.signal }).catch(() => undefined)
    }
    await watch[Symbol.asyncDispose]()
    await room[Symbol.asyncDispose]()
    process.exit(0)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    process.exit(1)
  }
}
