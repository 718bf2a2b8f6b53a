import { ConfigError, ConnectionError, sleep } from '@waybill/core'
import type { ResolvedConnection } from './options.ts'
import { worthResuming, type BidiStream } from './stream.ts'

export interface ResumingOptions<In> {
  /**
   * Called for each new stream, the first too, while its answers are read: send what is still unanswered. The server
   * may have seen it before, so it must carry an id by which the server knows it again.
   */
  readonly resume: (stream: { send(message: In): Promise<void> }) => void | Promise<void>
  /** Longest first wait after a drop; doubles with each further one, and each wait is random up to it. @default 100 */
  readonly firstMs?: number | undefined
  /** @default 5_000 (milliseconds) */
  readonly maxMs?: number | undefined
  readonly onDrop?: ((error: Error, retryInMs: number) => void) | undefined
  /** Cancels and ends the iteration with its reason. */
  readonly signal?: AbortSignal | undefined
}

/** Iterating it connects, resumes and reconnects; iterate it all the time. */
export interface ResumingStream<In, Out> extends AsyncIterable<Out> {
  /**
   * Sends on the stream of the moment.
   * @throws {ConnectionError} there is none: `resume` will send it
   */
  send(message: In): Promise<void>
  /** Nothing more will be sent: the iteration ends when the server has ended well. */
  end(): void
  readonly connected: boolean
}

/**
 * One stream after another. A drop (connection lost, server stopped or killed) is followed by another stream after a
 * jittered wait; an error that another try can't mend is thrown.
 */
export function resumingStream<In, Out>(
  open: () => BidiStream<In, Out>,
  options: ResumingOptions<In>,
  { ports, logger }: ResolvedConnection,
): ResumingStream<In, Out> {
  const { resume, signal, onDrop, firstMs = 100, maxMs = 5_000 } = options
  if (!(firstMs >= 1 && firstMs <= maxMs)) {
    throw new ConfigError(`firstMs is ${firstMs} and maxMs ${maxMs}: give 1 <= firstMs <= maxMs`)
  }
  let current: BidiStream<In, Out> | undefined
  let ending = false

  const wait = async (error: Error, failures: number): Promise<void> => {
    const retryInMs = Math.round(ports.random() * Math.min(maxMs, firstMs * 2 ** Math.min(failures, 30)))
    logger.debug({ error, retryInMs }, 'stream dropped')
    onDrop?.(error, retryInMs)
    await sleep(ports.timers, retryInMs, signal)
  }

  async function* answers(): AsyncGenerator<Out, void, undefined> {
    for (let failures = 0; ; failures++) {
      signal?.throwIfAborted()
      const stream = open()
      let dropped: Error = new ConnectionError('the server ended the stream')
      const resumed = start(stream)
      try {
        for await (const answer of stream) {
          failures = 0
          yield answer
        }
        if (ending) return
      } catch (error) {
        signal?.throwIfAborted()
        if (!worthResuming(error)) throw error
        dropped = error as Error
      } finally {
        current = undefined
        stream.cancel()
        await resumed
      }
      await wait(dropped, failures)
    }
  }

  const start = async (stream: BidiStream<In, Out>): Promise<void> => {
    try {
      current = stream
      await resume({ send: (message) => stream.send(message) })
      if (ending) stream.end()
    } catch (error) {
      // A send that failed because the stream is over says so in the iteration as well.
      stream.cancel(error as Error)
    }
  }

  return {
    async send(message) {
      if (current === undefined) throw new ConnectionError('the stream is being opened again: resume will send it')
      await current.send(message)
    },
    end() {
      ending = true
      current?.end()
    },
    get connected() {
      return current !== undefined
    },
    [Symbol.asyncIterator]: answers,
  }
}
