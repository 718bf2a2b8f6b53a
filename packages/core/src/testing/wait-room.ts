import { AssertionError } from 'node:assert'
import { sleep, systemPorts } from '../ports.ts'

/** Waits that end: on their condition, after a time without any event, or with the case. */
export class WaitRoom {
  readonly #idleTimeoutMs: number
  readonly #signal: AbortSignal
  readonly #describe: () => string
  readonly #waiting = new Set<() => void>()

  constructor(idleTimeoutMs: number, signal: AbortSignal, describe: () => string) {
    this.#idleTimeoutMs = idleTimeoutMs
    this.#signal = signal
    this.#describe = describe
  }

  /** Something happened: each waiting condition is looked at. */
  wake(): void {
    for (const look of this.#waiting) look()
  }

  until(condition: () => boolean, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      if (condition()) return resolve()
      let cancel = () => {}
      const end = (failure?: Error) => {
        cancel()
        this.#waiting.delete(look)
        this.#signal.removeEventListener('abort', onAbort)
        if (failure === undefined) resolve()
        else reject(failure)
      }
      const startIdle = () => {
        cancel()
        cancel = systemPorts.timers.schedule(() => {
          const message = `waited for ${what}, nothing happened for ${this.#idleTimeoutMs} ms: ${this.#describe()}`
          end(new AssertionError({ message }))
        }, this.#idleTimeoutMs)
      }
      const look = () => {
        if (condition()) end()
        else startIdle()
      }
      const onAbort = () => end(new AssertionError({ message: `still waiting for ${what}: ${this.#describe()}` }))
      this.#waiting.add(look)
      this.#signal.addEventListener('abort', onAbort, { once: true })
      startIdle()
      if (this.#signal.aborted) onAbort()
    })
  }

  pause(delayMs: number): Promise<void> {
    return sleep(systemPorts.timers, delayMs, this.#signal)
  }
}
