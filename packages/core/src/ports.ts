import { randomUUID } from 'node:crypto'

export interface Clock {
  /** Milliseconds since the epoch. */
  nowMs(): number
  /** Milliseconds of a clock that nobody sets, for how long something takes. @default nowMs */
  steadyMs?(): number
}

/** The time by which waits and durations are counted, so that a clock that is set spoils none of them. */
export function steadyMs(clock: Clock): number {
  return clock.steadyMs?.() ?? clock.nowMs()
}

export interface Timers {
  /** Runs `action` once after `delayMs`; the returned function calls it off. */
  schedule(action: () => void, delayMs: number): () => void
}

/** What the core takes from the outside world, so that tests and simulators can give their own. */
export interface Ports {
  readonly clock: Clock
  readonly timers: Timers
  /** In [0, 1). */
  readonly random: () => number
  /** A new message id. */
  readonly newId: () => string
}

const MAX_TIMER_MS = 2 ** 31 - 1

/** The real clock, timers, randomness, and UUIDv7 ids. */
export const systemPorts: Ports = Object.freeze({
  clock: { nowMs: () => Date.now(), steadyMs: () => performance.now() },
  timers: {
    schedule(action, delayMs) {
      let timer = arm(delayMs)
      return () => clearTimeout(timer)

      // a longer timer would fire at once
      function arm(leftMs: number): NodeJS.Timeout {
        if (leftMs <= MAX_TIMER_MS) return setTimeout(action, leftMs)
        return setTimeout(() => (timer = arm(leftMs - MAX_TIMER_MS)), MAX_TIMER_MS)
      }
    },
  },
  random: () => Math.random(),
  newId: createIds(),
} satisfies Ports)

/**
 * A time-ordered id: 48 bits of milliseconds, 74 random bits.
 * @see https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-7
 */
export function uuidv7(nowMs: number): string {
  return timePart(nowMs) + randomPart()
}

function timePart(nowMs: number): string {
  const time = nowMs.toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7`
}

/** Node keeps a store of random UUIDs, which is far cheaper than asking for random bytes each time. */
function randomPart(): string {
  return randomUUID().slice(15)
}

/** Ids of now; the part that tells the time is written once a millisecond. */
function createIds(): () => string {
  let lastMs = NaN
  let time = ''
  return () => {
    const nowMs = Date.now()
    if (nowMs !== lastMs) {
      lastMs = nowMs
      time = timePart(nowMs)
    }
    return time + randomPart()
  }
}

/** Resolves after `delayMs`, or rejects with the signal's reason. */
export function sleep(timers: Timers, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error)
    const onAbort = () => {
      cancel()
      reject(signal!.reason as Error)
    }
    const cancel = timers.schedule(() => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    }, delayMs)
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
