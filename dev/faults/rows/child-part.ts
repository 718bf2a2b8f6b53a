import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Place } from './parts.ts'

const script = fileURLToPath(new URL('part-process.ts', import.meta.url))
const resolve = new URL('../resolve-sources.ts', import.meta.url).href

export interface ChildOptions {
  readonly env?: NodeJS.ProcessEnv | undefined
  readonly cwd?: string | undefined
}

/** One part of a run in a process of its own, to be frozen, killed and started again from here. */
export class ChildPart implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>

  constructor(part: 'producer' | 'relay' | 'consumer', place: Place, { env, cwd }: ChildOptions = {}) {
    this.#child = spawn(process.execPath, ['--import', resolve, script], {
      env: { ...process.env, PART: part, PLACE: JSON.stringify(place), POINT: '', TIMES: '0', ...env },
      cwd,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    this.#exited = once(this.#child, 'exit')
    this.#exited.catch(() => {})
  }

  get pid(): number {
    return this.#child.pid!
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Resolves with its exit code; `null` when it was killed. */
  get ended(): Promise<number | null> {
    return this.#exited.then(() => this.#child.exitCode)
  }

  freeze(): void {
    this.#child.kill('SIGSTOP')
  }

  thaw(): void {
    this.#child.kill('SIGCONT')
  }

  async kill(): Promise<void> {
    if (this.running) this.#child.kill('SIGKILL')
    await this.#exited
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill()
  }
}
