import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { KillRow } from './kill-rows.ts'
import type { Place } from './parts.ts'

const script = fileURLToPath(new URL('part-process.ts', import.meta.url))
const resolve = new URL('../resolve-sources.ts', import.meta.url).href

/** The part that a row kills, in a process that a supervisor starts again: without a failpoint after its last kill. */
export class Victim {
  readonly #row: KillRow
  readonly #place: Place
  readonly #running: Promise<void>
  #child: ChildProcess | undefined
  #stopped = false
  #kills = 0

  constructor(row: KillRow, place: Place, timesOfKills: readonly number[]) {
    this.#row = row
    this.#place = place
    this.#running = this.#supervise(timesOfKills)
  }

  /** How often it was killed at its failpoint. */
  get kills(): number {
    return this.#kills
  }

  /** Resolves when it has ended by itself, or was stopped. */
  get ended(): Promise<void> {
    return this.#running
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#child?.kill('SIGKILL')
    await this.#running
  }

  async #supervise(timesOfKills: readonly number[]): Promise<void> {
    for (let life = 0; !this.#stopped; life++) {
      const { part, point } = this.#row
      const times = timesOfKills[life] ?? 0
      const env = {
        ...process.env,
        PART: part,
        PLACE: JSON.stringify(this.#place),
        POINT: point,
        TIMES: String(times),
      }
      const child = spawn(process.execPath, ['--import', resolve, script], {
        env,
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      })
      this.#child = child
      const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
      if (this.#stopped || code === 0) return
      if (signal !== 'SIGKILL' || times === 0) throw new Error(`${part} ended by itself: ${signal ?? code}`)
      this.#kills++
    }
  }
}
