import { systemPorts, type Ports } from './ports.ts'

/** A clock that stands until a test moves it on. */
export function manualTime(startMs = 1_700_000_000_000) {
  let nowMs = startMs
  const timers = new Set<{ readonly atMs: number; action(): void }>()
  const ports: Ports = {
    ...systemPorts,
    clock: { nowMs: () => nowMs },
    timers: {
      schedule(action, delayMs) {
        const timer = { atMs: nowMs + delayMs, action }
        timers.add(timer)
        return () => void timers.delete(timer)
      },
    },
    random: () => 1 - Number.EPSILON,
  }
  return {
    ports,
    /** Timers that are armed. */
    get armed(): number {
      return timers.size
    },
    settle,
    /** Moves the time on, timer by timer, and lets everything run that each of them set off. */
    async advance(ms: number): Promise<void> {
      const endMs = nowMs + ms
      await settle()
      for (;;) {
        const [next] = [...timers].filter(({ atMs }) => atMs <= endMs).sort((one, other) => one.atMs - other.atMs)
        if (next === undefined) break
        timers.delete(next)
        nowMs = Math.max(nowMs, next.atMs)
        next.action()
        await settle()
      }
      nowMs = endMs
    },
  }
}

/** Lets everything run that can run without time passing. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
}
