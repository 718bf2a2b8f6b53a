import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** What this process still needs after collecting garbage, on the heap and beside it. Needs no flag of the process. */
export function heldBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
