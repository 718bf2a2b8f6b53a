import { systemPorts, type Clock, type Ports } from '../ports.ts'

/** A clock that stands until a test moves it on. */
export interface ManualTime extends Clock {
  /** For `createBus({ ports })` and `memory({ ports })`: this clock and its timers; `random` always gives the longest wait. */
  readonly ports: Ports
  /** How many timers wait. */
  readonly armed: number
  /** How far the next timer is, in milliseconds; nothing when none waits. */
  readonly nextTimerInMs: number | undefined
  /** Moves the time on, timer by timer, and lets everything run that each of them set off. */
  advance(ms: number): Promise<void>
  /** Lets everything run that can run without time passing. */
  settle(): Promise<void>
}

/**
 * A clock that stands until a test moves it on.
 * @example const time = manualTime(); const bus = createBus({ transport: memory({ ports: time.ports }), ports: time.ports, source: '/test' })
 */
export function manualTime(startMs = 1_700_000_000_000): ManualTime {
  let nowMs = startMs
  const timers = new Set<{ readonly atMs: number; action(): void }>()
  const clock: Clock = { nowMs: () => nowMs }
  const ports: Ports = {
    ...systemPorts,
    clock,
    timers: {
      schedule(action, delayMs) {
        const timer = { atMs: nowMs + delayMs, action }
        timers.add(timer)
        return () => void timers.delete(timer)
      },
    },
    random: () => 1 - Number.EPSILON,
  }
  const next = () => [...timers].reduce((one, other) => (other.atMs < one.atMs ? other : one))

  return {
    ...clock,
    ports,
    get armed() {
      return timers.size
    },
    get nextTimerInMs() {
      return timers.size === 0 ? undefined : Math.max(0, next().atMs - nowMs)
    },
    settle,
    async advance(ms) {
      const endMs = nowMs + ms
      await settle()
      while (timers.size > 0 && next().atMs <= endMs) {
        const timer = next()
        timers.delete(timer)
        nowMs = Math.max(nowMs, timer.atMs)
        timer.action()
        await settle()
      }
      nowMs = endMs
    },
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
}
