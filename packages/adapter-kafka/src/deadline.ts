import { TimeoutError, type CallOptions } from '@waybill/core'

/**
 * The outcome of `work`, or a rejection when the time is up or the signal aborts; `work` itself goes on unheard.
 * @throws {TimeoutError} names what was waited for, how long, and which option sets it
 */
export function within<T>(
  work: Promise<T>,
  { timeoutMs, signal, what, option }: CallOptions & { timeoutMs: number; what: string; option: string },
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const end = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
    const onAbort = () => {
      end()
      reject(signal!.reason as Error)
    }
    const timer = setTimeout(() => {
      end()
      reject(new TimeoutError(`${what} took longer than ${timeoutMs} ms: check the brokers or raise ${option}`))
    }, timeoutMs)
    if (signal?.aborted) onAbort()
    else signal?.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(end)
  })
}

/** Waits for `work` to settle in any way, at most `timeoutMs`. */
export async function settled(work: Promise<unknown>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const timeUp = new Promise<void>((resolve) => (timer = setTimeout(resolve, timeoutMs)))
  await Promise.race([work.then(nothing, nothing), timeUp])
  clearTimeout(timer)
}

const nothing = () => {}
