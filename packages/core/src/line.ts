import type { CircuitSettings } from './circuit.ts'
import { steadyMs, type Ports } from './ports.ts'

/** `stopped`: nothing starts; `probing`: one message at a time shows whether it works again. */
export type LineState = 'running' | 'stopped' | 'probing'

/** The circuit of one service: stopped when a dependency is away or too much fails in a row, then probed with jitter. */
export class Line {
  readonly #ports: Ports
  readonly #settings: CircuitSettings
  readonly #changed: (state: LineState) => void
  /** When the failures of the run under way happened, the last `failures` of them. */
  #run: number[] = []
  #state: LineState = 'running'
  #stops = 0
  #cancel: (() => void) | undefined
  /** Why it does not run. */
  reason: string | undefined
  sinceMs: number
  /** When the next probe may start, while it is stopped. */
  probeAtMs = 0

  constructor(ports: Ports, settings: CircuitSettings, changed: (state: LineState) => void) {
    this.#ports = ports
    this.#settings = settings
    this.#changed = changed
    this.sinceMs = ports.clock.nowMs()
  }

  get state(): LineState {
    return this.#state
  }

  stop(reason: string): void {
    this.reason = reason
    if (this.#state === 'stopped') return
    const nowMs = this.#ports.clock.nowMs()
    if (this.#state === 'running') this.sinceMs = nowMs
    const { firstProbeMs, maxProbeMs } = this.#settings
    // between half of the wait and all of it, so that instances do not probe in step
    const boundMs = Math.min(maxProbeMs, firstProbeMs * 2 ** Math.min(this.#stops++, 20))
    const waitMs = boundMs * (0.5 + this.#ports.random() / 2)
    this.probeAtMs = nowMs + waitMs
    this.#cancel = this.#ports.timers.schedule(() => this.#to('probing'), waitMs)
    this.#to('stopped')
  }

  /** A try failed, of whatever kind: a run of them stops the line, where it was told to count them. */
  failed(reason: string): void {
    const { failures, windowMs } = this.#settings
    if (failures === Infinity || this.#state === 'stopped') return
    if (this.#state === 'running') {
      const nowMs = steadyMs(this.#ports.clock)
      this.#run.push(nowMs)
      if (this.#run.length > failures) this.#run.shift()
      if (this.#run.length < failures || nowMs - this.#run[0]! > windowMs) return
      this.#run = []
    }
    this.stop(`circuit open after ${failures} failures in a row, the last: ${reason}`)
  }

  /** A message was handled: that ends a run of failures, and a probe that works ends the stop. */
  worked(): void {
    if (this.#run.length > 0) this.#run = []
    if (this.#state !== 'probing') return
    this.#stops = 0
    this.reason = undefined
    this.sinceMs = this.#ports.clock.nowMs()
    this.#to('running')
  }

  close(): void {
    this.#cancel?.()
  }

  #to(state: LineState): void {
    this.#state = state
    this.#changed(state)
  }
}
