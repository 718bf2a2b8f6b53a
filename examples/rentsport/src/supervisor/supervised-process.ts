import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { PartState, type ChildReport, type PartReport } from './part-state.ts'

export interface SupervisedOptions {
  readonly name: string
  readonly script: string
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Aborted when the whole system ends: a terminal may have told the process the same, and it is not started again. */
  readonly signal: AbortSignal
  say(line: string): void
}

const RESTART_FIRST_MS = 100
const RESTART_MAX_MS = 5_000
/** A process that ran this long is started again without delay. */
const RAN_WELL_MS = 10_000
/** A process that says nothing for so long counts as down. */
const SILENCE_MS = 5_000
const STOP_TIMEOUT_MS = 6_000

/** A process of the system: started again when it dies, with growing pauses. */
export class SupervisedProcess {
  readonly #options: SupervisedOptions
  readonly #state: PartState
  #child: ChildProcess | undefined
  #parts: readonly PartReport[] = []
  #heardAtMs = 0
  #startedAtMs = 0
  #pauseMs = RESTART_FIRST_MS
  #restart: NodeJS.Timeout | undefined
  #stopping = false

  constructor(options: SupervisedOptions) {
    this.#options = options
    this.#state = new PartState(options.name, 'starting')
    this.#start()
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** The process itself first, then what it says about its own parts. */
  report(): readonly PartReport[] {
    if (this.#heardAtMs > 0 && Date.now() - this.#heardAtMs > SILENCE_MS) this.#state.down('says nothing')
    const own = { ...this.#state.report(), ...(this.pid !== undefined && { pid: this.pid }) }
    return own.state === 'up' ? [own, ...this.#parts] : [own]
  }

  async stop(): Promise<void> {
    this.#stopping = true
    clearTimeout(this.#restart)
    const child = this.#child
    if (child === undefined) return
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await exited
    clearTimeout(late)
  }

  kill(): void {
    this.#stopping = true
    clearTimeout(this.#restart)
    this.#child?.kill('SIGKILL')
  }

  #start(): void {
    const { name, script, environment, say } = this.#options
    this.#startedAtMs = Date.now()
    this.#heardAtMs = 0
    const child = fork(script, [], {
      env: { ...process.env, ...environment },
      // Not ours: they say what happens when *our* parent ends.
      execArgv: ['--disable-warning=TimeoutNegativeWarning'],
      // Only the parent writes to stdout, where its last line says that all is ready.
      stdio: ['ignore', 'ignore', 2, 'ipc'],
    })
    this.#child = child
    child.on('message', (message) => this.#hear(message as ChildReport))
    child.once('error', (error) => this.#state.down(`not started: ${error.message}`))
    child.once('exit', (code, signal) => {
      this.#child = undefined
      this.#parts = []
      if (this.#stopping || this.#options.signal.aborted) return
      const how = signal === null ? `ended with code ${code}` : `was killed by ${signal}`
      this.#state.down(how)
      if (Date.now() - this.#startedAtMs > RAN_WELL_MS) this.#pauseMs = RESTART_FIRST_MS
      say(`${name} ${how}: starting it again in ${this.#pauseMs} ms`)
      this.#restart = setTimeout(() => this.#start(), this.#pauseMs)
      this.#pauseMs = Math.min(this.#pauseMs * 2, RESTART_MAX_MS)
    })
  }

  #hear(message: ChildReport): void {
    if (message.kind !== 'health') return
    this.#heardAtMs = Date.now()
    this.#parts = message.parts
    this.#state.up()
  }
}
