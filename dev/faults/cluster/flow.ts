import { amqp } from '@waybill/adapter-amqp'
import { createBus, defineEvent, on, PublishError, type Bus } from '@waybill/core'
import { z } from 'zod'
import { waitUntil } from '../../servers/wait-until.ts'
import { Ledger, type ClusterVerdict } from './ledger.ts'

const KEYS = 20
const CONFIRM_TIMEOUT_MS = 2_000
const BETWEEN_TRIES_MS = 50
const ARRIVES_WITHIN_MS = 90_000

export interface FlowAt {
  readonly name: string
  /** The first is tried first. */
  readonly publishTo: readonly string[]
  readonly consumeFrom: readonly string[]
}

/**
 * Publishes without end, each key one message after another and each message until it is confirmed, to an ordered
 * service that notes what it gets.
 */
export class Flow {
  readonly ledger = new Ledger()
  /** Why publishing failed, each reason once. */
  readonly failures = new Set<string>()
  readonly publisher: Bus
  readonly consumer: Bus
  readonly #name: string
  readonly #stopping = new AbortController()
  #publishing: Promise<unknown> = Promise.resolve()

  private constructor({ name, publishTo, consumeFrom }: FlowAt) {
    const bus = (urls: readonly string[]) => {
      const settings = {
        confirmTimeoutMs: CONFIRM_TIMEOUT_MS,
        heartbeatMs: 2_000,
        reconnectMs: { first: 50, max: 1_000 },
      }
      return createBus({ transport: amqp({ urls, ...settings }), source: '/cluster' })
    }
    this.#name = name
    this.publisher = bus(publishTo)
    this.consumer = bus(consumeFrom)
  }

  static async start(at: FlowAt): Promise<Flow> {
    const flow = new Flow(at)
    const Happened = defineEvent(`${at.name}.happened`, {
      destination: { name: at.name },
      schema: z.object({ key: z.string(), n: z.number() }),
      orderingKey: ({ key }) => key,
    })
    await flow.consumer.subscribe(at.name, [on(Happened, ({ key, n }) => flow.ledger.handled(key, n))])
    const send = async (key: string) => {
      for (let n = 0; !flow.#stopping.signal.aborted; n++) {
        flow.ledger.sent(key, n)
        const again = () => flow.publisher.publish(Happened, { key, n }, { id: `${at.name}-${key}-${n}` })
        if (!(await flow.#untilConfirmed(again))) return
        flow.ledger.confirmed(key, n)
      }
    }
    flow.#publishing = Promise.all(Array.from({ length: KEYS }, (_, index) => send(`key-${index}`)))
    return flow
  }

  /** Until so many more were confirmed. */
  async confirms(count: number): Promise<void> {
    const target = this.ledger.confirms + count
    await waitUntil(
      async () => {
        if (this.ledger.confirms < target) throw new Error(`${this.ledger.confirms} of ${target} are confirmed`)
      },
      { what: `confirms of ${this.#name}`, timeoutMs: ARRIVES_WITHIN_MS },
    )
  }

  /** Stops publishing, and waits for all that was confirmed to be handled. */
  async end(): Promise<ClusterVerdict> {
    this.#stopping.abort()
    await this.#publishing
    await waitUntil(
      async () => {
        const { lost } = this.ledger.verdict()
        if (lost > 0) throw new Error(`${lost} confirmed ones have not come`)
      },
      { what: `messages of ${this.#name}`, timeoutMs: ARRIVES_WITHIN_MS },
    ).catch(() => {}) // then they are lost
    await Promise.all([this.publisher.stop(), this.consumer.stop()])
    return this.ledger.verdict()
  }

  async #untilConfirmed(publish: () => Promise<unknown>): Promise<boolean> {
    for (;;) {
      try {
        await publish()
        return true
      } catch (error) {
        if (!(error instanceof PublishError && error.retryable)) throw error
        this.failures.add(error.message.replace(/\d+/g, 'n'))
        if (this.#stopping.signal.aborted) return false
        await new Promise((resolve) => setTimeout(resolve, BETWEEN_TRIES_MS))
      }
    }
  }
}
