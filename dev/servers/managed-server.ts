import { withTimeout } from './with-timeout.ts'
import { processTree, signalAll, startTime } from './process-tree.ts'
import { Proxy, type CutOff } from './proxy.ts'
import type { RunFolder } from './run-folder.ts'
import type { Server } from './server.ts'
import type { ServerProcess } from './server-process.ts'
import { accepts } from './accepts.ts'
import { waitUntil } from './wait-until.ts'
import { watchOver } from './watchdog.ts'

/** How one kind of server is started, stopped and reached; all that differs between them. */
export interface Plan {
  readonly name: string
  readonly url: string
  readonly folder: RunFolder
  readonly logFile: string
  /** Where clients are sent, and where the server listens; equal when there is no line to cut. */
  readonly clientPort: number
  readonly serverPort: number
  /** What means "end cleanly" to it. */
  readonly stopSignal: NodeJS.Signals
  launch(): ServerProcess
  /** The process to be told to stop, when it is not the launched one. */
  mainPid?(): number | undefined
  /** Succeeds once a real client has connected. */
  connect(): Promise<void>
}

const READY_WITHIN_MS = 90_000
const STOP_WITHIN_MS = 20_000

export class ManagedServer implements Server {
  readonly #plan: Plan
  readonly #proxy: Proxy | undefined
  readonly #watchdog: { done(): void }
  #process: ServerProcess | undefined
  #disposed = false

  private constructor(plan: Plan) {
    this.#plan = plan
    this.#watchdog = watchOver(plan.folder.path)
    if (plan.clientPort !== plan.serverPort) this.#proxy = new Proxy(plan.clientPort, plan.serverPort)
  }

  static async start(plan: Plan): Promise<ManagedServer> {
    const server = new ManagedServer(plan)
    try {
      await server.restart()
      return server
    } catch (error) {
      await server[Symbol.asyncDispose]()
      throw error
    }
  }

  get url(): string {
    return this.#plan.url
  }

  get logFile(): string {
    return this.#plan.logFile
  }

  get pid(): number {
    if (!this.#process?.running) throw new Error(`${this.#plan.name} isn't running`)
    return this.#plan.mainPid?.() ?? this.#process.pid
  }

  async kill(): Promise<void> {
    const ending = this.#process
    if (ending === undefined) return
    // kept from before: once the server is gone, helpers with a session of their own can't be told from strangers
    const members = new Map(ending.signalTree('SIGKILL').map((pid) => [pid, startTime(pid)]))
    await ending.exited
    await this.#proxy?.serverIs('down')
    await waitUntil(
      async () => {
        const known = [...members].filter(([pid, started]) => started !== undefined && startTime(pid) === started)
        const left = [...new Set([...processTree(ending.pid), ...known.map(([pid]) => pid)])]
        signalAll(left, 'SIGKILL')
        if (left.length > 0) throw new Error(`processes ${left.join(', ')} are still there`)
      },
      { what: `killing ${this.#plan.name}`, timeoutMs: STOP_WITHIN_MS },
    )
  }

  async stop(): Promise<void> {
    const ending = this.#process
    if (!ending?.running) return
    this.resume()
    signalAll([this.pid], this.#plan.stopSignal)
    await withTimeout(ending.exited, STOP_WITHIN_MS)
    // Helpers of a server that stopped, or all of one that would not stop.
    await this.kill()
  }

  freeze(): void {
    this.#process?.signalTree('SIGSTOP')
  }

  resume(): void {
    this.#process?.signalTree('SIGCONT')
  }

  async restart(): Promise<void> {
    if (this.#disposed) throw new Error(`${this.#plan.name} was disposed: start another one`)
    await this.stop()
    const started = this.#plan.launch()
    this.#process = started
    this.#plan.folder.record(started.pid)
    const waiting = {
      what: `${this.#plan.name} (log: ${this.#plan.logFile})`,
      timeoutMs: READY_WITHIN_MS,
      hopeless: () => (started.running ? undefined : `ended while starting\n${started.lastWords()}`),
    }
    await waitUntil(() => accepts(this.#plan.serverPort), waiting)
    await this.#proxy?.serverIs('up')
    // Behind a cut line no client can tell more.
    if (!this.#proxy?.cut) await waitUntil(() => this.#plan.connect(), waiting)
  }

  async cutOff(how?: CutOff): Promise<void> {
    await this.#line().cutOff(how)
  }

  async reconnect(): Promise<void> {
    await this.#line().reconnect()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return
    this.#disposed = true
    try {
      await this.stop()
    } finally {
      await this.#proxy?.serverIs('down')
      this.#plan.folder.remove()
      this.#watchdog.done()
    }
  }

  #line(): Proxy {
    if (this.#proxy === undefined) throw new Error(`${this.#plan.name} was started with direct: true, no line to cut`)
    return this.#proxy
  }
}
