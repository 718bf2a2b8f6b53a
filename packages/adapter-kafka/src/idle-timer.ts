import { replaceOnce } from './replace-once.ts'

interface RequestQueue {
  readonly pending: readonly unknown[]
  readonly throttledUntil: number
  scheduleCheckPendingRequests(): void
}

/**
 * kafkajs 2.2.4 re-arms a timer with a negative delay for every connection, about 900 wake-ups a second without any
 * work to do, and Node warns about it. With nothing pending and nothing throttled the timer has no use, so it is left
 * out. Only the function as it stands in 2.2.4 is replaced, and only when the client is made here.
 * @see https://github.com/tulios/kafkajs/issues/1704
 */
export async function quietIdleTimers(): Promise<void> {
  try {
    // @ts-expect-error -- an inner module of the client, without types
    const { default: queue } = (await import('kafkajs/src/network/requestQueue/index.js')) as {
      default: { prototype: RequestQueue }
    }
    replaceOnce(queue.prototype, 'scheduleCheckPendingRequests', KNOWN, (original) => {
      return function (this: RequestQueue) {
        if (this.pending.length > 0 || this.throttledUntil > Date.now()) original.call(this)
      }
    })
  } catch {
    // bundled or another layout: the client works all the same, only less quietly
  }
}

const KNOWN = { words: 'CHECK_PENDING_REQUESTS_INTERVAL', mark: 'waybill.kafka.quiet' }
