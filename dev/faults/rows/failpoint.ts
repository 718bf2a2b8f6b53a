/** Called where a process may be killed. */
export type Reach = (point: string) => void

/** Kills this process, as `kill -9` would, when it comes to `point` for the `times`-th time. */
export function failpoint(point: string, times: number): Reach {
  let left = times
  return (reached) => {
    if (reached === point && --left === 0) process.kill(process.pid, 'SIGKILL')
  }
}
