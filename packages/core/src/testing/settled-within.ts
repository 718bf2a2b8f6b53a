import { AssertionError } from 'node:assert'
import { sleep, systemPorts } from '../ports.ts'

/** How a promise ended; one that does not end in time is a failure of the case. */
export async function settledWithin<T>(
  promise: PromiseLike<T>,
  limitMs: number,
  what: string,
): Promise<PromiseSettledResult<T>> {
  const done = new AbortController()
  const late = sleep(systemPorts.timers, limitMs, done.signal).then(
    () => {
      throw new AssertionError({ message: `${what}: not settled within ${limitMs} ms` })
    },
    () => {},
  )
  const [result] = await Promise.race([
    Promise.allSettled([promise]),
    late.then(() => Promise.allSettled([promise])),
  ]).finally(() => done.abort())
  return result
}

/** What a promise was fulfilled with, in time; what it was rejected with is thrown. */
export async function fulfilledWithin<T>(promise: PromiseLike<T>, limitMs: number, what: string): Promise<T> {
  const result = await settledWithin(promise, limitMs, what)
  if (result.status === 'fulfilled') return result.value
  throw new AssertionError({ message: `${what} failed: ${String(result.reason)}` })
}
