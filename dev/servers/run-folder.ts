import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { processTree, signalAll, startTime } from './process-tree.ts'

interface Recorded {
  readonly pid: number
  readonly startedAt: string | undefined
}

/** Where servers keep their data: one folder per server, with a note of its owner and of its processes. */
export class RunFolder {
  readonly path: string
  readonly #processes: Recorded[] = []

  constructor(name: string) {
    const parent = runsFolder()
    mkdirSync(parent, { recursive: true })
    this.path = mkdtempSync(join(parent, `${name}-`))
    // PostgreSQL runs as a user of its own when we are root, and must be able to pass.
    chmodSync(this.path, 0o755)
    writeFileSync(join(this.path, 'owner.json'), JSON.stringify(recorded(process.pid)))
  }

  /** Notes a process, so that it can be ended even when the owner has no chance to. */
  record(pid: number): void {
    this.#processes.push(recorded(pid))
    writeFileSync(join(this.path, 'processes.json'), JSON.stringify(this.#processes))
  }

  /** Ends what still runs, and deletes the folder. */
  remove(): void {
    clear(this.path)
  }
}

/** Ends the servers of owners that are gone, and deletes their data. */
export function sweepLeftovers(): void {
  for (const name of namesIn(runsFolder())) {
    const folder = join(runsFolder(), name)
    const owner = read<Recorded>(join(folder, 'owner.json'))
    if (owner !== undefined && startTime(owner.pid) !== owner.startedAt) clear(folder)
  }
}

/** Ends every process noted in the folder, then deletes it. */
export function clear(folder: string): void {
  for (const { pid, startedAt } of read<Recorded[]>(join(folder, 'processes.json')) ?? []) {
    const current = startTime(pid)
    // A leader that ended leaves its session's number unused as long as members live; another start time means a stranger.
    if (current === undefined || current === startedAt) signalAll(processTree(pid), 'SIGKILL')
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
}

function runsFolder(): string {
  return join(tmpdir(), `waybill-servers-${process.getuid?.() ?? 'user'}`)
}

function recorded(pid: number): Recorded {
  return { pid, startedAt: startTime(pid) }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function read<T>(file: string): T | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as T
  } catch {
    return undefined
  }
}
