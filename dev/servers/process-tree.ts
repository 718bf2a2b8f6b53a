import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

interface Entry {
  readonly pid: number
  readonly parent: number
  readonly group: number
  readonly session: number
  /** When it started, in the system's own form; with the pid it names one process for good. */
  readonly startedAt: string
}

/**
 * All processes that came out of `leader`: its descendants, and whoever is still in its group or session when the
 * leader itself is gone.
 */
export function processTree(leader: number): number[] {
  const entries = allProcesses()
  const members = new Set(
    entries.filter(({ pid, group, session }) => [pid, group, session].includes(leader)).map(({ pid }) => pid),
  )
  for (let before = -1; before !== members.size;) {
    before = members.size
    for (const { pid, parent } of entries) if (members.has(parent)) members.add(pid)
  }
  return [...members]
}

/** The start time of a running process; undefined when there is none (a zombie counts as none). */
export function startTime(pid: number): string | undefined {
  return allProcesses().find((entry) => entry.pid === pid)?.startedAt
}

/** Sends the signal to every process; those that ended meanwhile are passed over. */
export function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch {
      // ended meanwhile
    }
  }
}

function allProcesses(): Entry[] {
  return process.platform === 'linux' ? fromProc() : fromPs()
}

/** @see https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
function fromProc(): Entry[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const stat = readIfThere(`/proc/${name}/stat`)
      // The command's name stands in parentheses and may hold anything: fields are counted from its end.
      const [state, parent, group, session, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      if (state === undefined || state === '' || state === 'Z') return []
      const startedAt = rest[15] ?? ''
      return [{ pid: Number(name), parent: Number(parent), group: Number(group), session: Number(session), startedAt }]
    })
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}

function fromPs(): Entry[] {
  const output = execFileSync('ps', ['-axo', 'pid=,ppid=,pgid=,stat=,lstart='], { encoding: 'utf8' })
  return output.split('\n').flatMap((line) => {
    const [pid, parent, group, state, ...startedAt] = line.trim().split(/\s+/)
    if (state === undefined || state.startsWith('Z')) return []
    return [
      {
        pid: Number(pid),
        parent: Number(parent),
        group: Number(group),
        session: Number(group),
        startedAt: startedAt.join(' '),
      },
    ]
  })
}
