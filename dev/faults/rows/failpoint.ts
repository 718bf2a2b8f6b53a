/** Called where a process may be killed, with the operation at hand where one is known. */
export type Reach = (point: string, op?: string) => void

/** Kills this process, as `kill -9` would (or freezes it), when it comes to `point` for the `times`-th time. */
export function failpoint(point: string, times: number, signal: NodeJS.Signals = 'SIGKILL'): Reach {
  let left = times
  return (reached) => {
    if (reached === point && --left === 0) process.kill(process.pid, signal)
  }
}

/** Kills this process each time it is to handle `op`. */
export function poisonedBy(op: string): Reach {
  return (_point, reached) => {
    if (reached === op) process.kill(process.pid, 'SIGKILL')
  }
}
