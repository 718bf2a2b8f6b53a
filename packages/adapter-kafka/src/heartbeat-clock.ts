import { replaceOnce } from './replace-once.ts'

interface ConsumerGroup {
  lastRequest: number
  heartbeat(given: { interval: number }): Promise<void>
}

/**
 * kafkajs 2.2.4 tells when the next heartbeat is due by the system clock: once that is set back, none is sent until it
 * has caught up, and the group gives the member up again and again. A last heartbeat that lies ahead counts as long ago
 * here. Only the function as it stands in 2.2.4 is replaced, and only when the client is made here.
 */
export async function beatThroughClockChanges(): Promise<void> {
  try {
    // @ts-expect-error -- an inner module of the client, without types
    const { default: group } = (await import('kafkajs/src/consumer/consumerGroup.js')) as {
      default: { prototype: ConsumerGroup }
    }
    replaceOnce(group.prototype, 'heartbeat', KNOWN, (original) => {
      return function (this: ConsumerGroup, given) {
        if (this.lastRequest > Date.now()) this.lastRequest = 0
        return original.call(this, given)
      }
    })
  } catch {
    // bundled or another layout: the client works all the same, but for a clock that is set back
  }
}

const KNOWN = { words: 'SHARED_HEARTBEAT', mark: 'waybill.kafka.beats' }
