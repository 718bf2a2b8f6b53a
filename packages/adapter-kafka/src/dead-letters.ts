import { setTimeout as delay } from 'node:timers/promises'
import type { WireHeaders } from '@waybill/core'
import type { Health } from './health.ts'
import type { KafkaPublisher } from './publisher.ts'
import { deadLetterTopic } from './topic-names.ts'
import type { TopicNeed } from './topology.ts'
import { copyWith, type ReceivedRecord } from './wire.ts'

/** Where a dead letter came from, as `topic/partition/offset`. */
export const ORIGIN = 'waybill-origin'

/** One partition, kept until somebody has looked: `retention.ms` -1. */
export const deadLetterNeed = (service: string): TopicNeed => ({
  topic: deadLetterTopic(service),
  partitions: 1,
  retentionMs: -1,
})

/** Keeps copies of what a service gave up on; tries until the broker has it or the delivery is not ours any more. */
export class DeadLetters {
  readonly #publisher: KafkaPublisher
  readonly #service: string
  readonly #health: Health

  constructor(publisher: KafkaPublisher, service: string, health: Health) {
    this.#publisher = publisher
    this.#service = service
    this.#health = health
  }

  async keep(record: ReceivedRecord, origin: string, notes: WireHeaders, signal: AbortSignal): Promise<void> {
    const copy = copyWith(record, { ...notes, [ORIGIN]: origin })
    for (let waitMs = 100; ; waitMs = Math.min(waitMs * 2, 5_000)) {
      try {
        await this.#publisher.publishRecord(deadLetterNeed(this.#service), copy, { signal })
        if (waitMs > 100) this.#health.set('up')
        return
      } catch (error) {
        signal.throwIfAborted()
        this.#health.set('degraded', `dead letter not stored: ${(error as Error).message}`)
        await delay(waitMs, undefined, { signal })
      }
    }
  }
}
