import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { processTree, signalAll } from './process-tree.ts'

export interface Launch {
  readonly command: string
  readonly args: readonly string[]
  readonly logFile: string
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  readonly uid?: number
  readonly gid?: number
}

/** One started server program with all that it starts itself. */
export class ServerProcess {
  readonly pid: number
  readonly exited: Promise<void>
  #running = true
  #exitCode: number | null = null
  readonly #logFile: string

  constructor({ command, args, logFile, cwd = '/', env = process.env, uid, gid }: Launch) {
    const log = openSync(logFile, 'a')
    const options = { cwd, env, detached: true, stdio: ['ignore', log, log] as ('ignore' | number)[] }
    const child: ChildProcess = spawn(command, args, uid === undefined ? options : { ...options, uid, gid: gid ?? uid })
    closeSync(log)
    this.#logFile = logFile
    this.exited = new Promise((resolve) => {
      child.once('exit', (code) => {
        this.#running = false
        this.#exitCode = code
        resolve()
      })
      child.once('error', () => {
        this.#running = false
        resolve()
      })
    })
    if (child.pid === undefined) throw new Error(`${command} can't be started: is it installed?`)
    this.pid = child.pid
  }

  get running(): boolean {
    return this.#running
  }

  get succeeded(): boolean {
    return this.#exitCode === 0
  }

  /** To every process of the tree, and to those that were being born; tells which ones. */
  signalTree(signal: NodeJS.Signals): readonly number[] {
    const members = new Set(processTree(this.pid))
    signalAll([...members], signal)
    const born = processTree(this.pid).filter((pid) => !members.has(pid))
    signalAll(born, signal)
    return [...members, ...born]
  }

  /** The end of the log, for an error message. */
  lastWords(): string {
    return readFileSync(this.#logFile, 'utf8').trimEnd().split('\n').slice(-8).join('\n')
  }
}
