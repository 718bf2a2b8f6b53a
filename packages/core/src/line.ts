import type { Ports } from './ports.ts'

/** `stopped`: nothing starts; `probing`: one message at a time shows whether it works again. */
export type LineState = 'running' | 'stopped' | 'probing'

const FIRST_PROBE_MS = 1_000
const MAX_PROBE_MS = 30_000

/** The circuit of one service: stopped when a dependency is away, probed after 1, 2, 4 … 30 s with jitter. */
export class Line {
  readonly #ports: Ports
  readonly #changed: (state: LineState) => void
  #state: LineState = 'running'
  #stops = 0
  #cancel: (() => void) | undefined
  reason: string | undefined
  sinceMs: number

  constructor(ports: Ports, changed: (state: LineState) => void) {
    this.#ports = ports
    this.#changed = changed
    this.sinceMs = ports.clock.nowMs()
  }

  get state(): LineState {
    return this.#state
  }

  stop(reason: string): void {
    this.reason = reason
    if (this.#state === 'stopped') return
    if (this.#state === 'running') this.sinceMs = this.#ports.clock.nowMs()
    // between half of the wait and all of it, so that instances do not probe in step
    const waitMs = Math.min(MAX_PROBE_MS, FIRST_PROBE_MS * 2 ** Math.min(this.#stops++, 10))
    this.#cancel = this.#ports.timers.schedule(() => this.#to('probing'), waitMs * (0.5 + this.#ports.random() / 2))
    this.#to('stopped')
  }

  /** A message was handled: a probe that works ends the stop. */
  worked(): void {
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
