import type { Definition } from './definition.ts'
import {
  codeOf,
  diagnosticsChannels,
  type DeliverEvent,
  type LateReplyEvent,
  type PublishEvent,
  type RequestEvent,
  type SettleEvent,
} from './diagnostics.ts'
import { steadyMs, type Clock } from './ports.ts'
import type { BatchFacts, Failure, ProcessEnd, ProcessFacts, Telemetry } from './telemetry.ts'
import type { Settlement } from './transport.ts'
import type { WireMessage } from './wire-message.ts'

/** What `process` asks of the handling that it surrounds. */
export interface Handling {
  readonly facts: ProcessFacts & { readonly service: string }
  /** How it ended, once it has. */
  end(settlement: Settlement): ProcessEnd
}

/** Tells telemetry and the channels of `node:diagnostics_channel` what happens; ask `watches…` first, it costs next to nothing. */
export class Observer {
  readonly #telemetry: Telemetry | undefined
  readonly #clock: Clock
  readonly #channels = diagnosticsChannels()
  readonly #publishes: { readonly hasSubscribers: boolean }

  constructor(telemetry: Telemetry | undefined, clock: Clock) {
    this.#telemetry = telemetry
    this.#clock = clock
    this.#publishes = telemetry === undefined ? this.#channels.publish : { hasSubscribers: true }
  }

  get watchesPublishes(): boolean {
    return this.#publishes.hasSubscribers
  }

  get watchesDeliveries(): boolean {
    return (
      this.#telemetry !== undefined || this.#channels.settle.hasSubscribers || this.#channels.deliver.hasSubscribers
    )
  }

  get watchesRequests(): boolean {
    return this.#telemetry !== undefined || this.#channels.request.hasSubscribers
  }

  async publish(
    message: WireMessage,
    transport: string,
    handOver: (message: WireMessage) => Promise<unknown>,
  ): Promise<void> {
    const span = this.#telemetry?.send({ operation: 'send', message, transport })
    const sinceMs = steadyMs(this.#clock)
    const tell = (failure: Failure) => {
      span?.end(failure)
      const { publish } = this.#channels
      if (!publish.hasSubscribers) return
      publish.publish({
        id: message.id,
        type: message.type,
        destination: message.destination.name,
        transport,
        correlationId: message.correlationId,
        outcome: failure === undefined ? 'published' : 'failed',
        errorCode: codeOf(failure?.error),
        durationMs: Math.round(steadyMs(this.#clock) - sinceMs),
      } satisfies PublishEvent)
    }
    await told(() => (span === undefined ? handOver(message) : span.run(() => handOver(span.message))), tell)
  }

  async process({ facts, end }: Handling, next: () => Promise<Settlement>): Promise<Settlement> {
    const { deliver, settle } = this.#channels
    const { message, definition, service, transport, attempt } = facts
    const event: DeliverEvent = {
      id: message.id,
      type: definition?.wireType ?? message.type,
      service,
      transport,
      correlationId: message.correlationId,
      attempt,
    }
    const span = this.#telemetry?.process(facts)
    const sinceMs = steadyMs(this.#clock)
    const tell = (ended: ProcessEnd) => {
      span?.end(ended)
      if (!settle.hasSubscribers) return
      const { outcome, failures, error } = ended
      const durationMs = Math.round(steadyMs(this.#clock) - sinceMs)
      settle.publish({ ...event, outcome, failures, errorCode: codeOf(error), durationMs } satisfies SettleEvent)
    }
    // with stores bound to the channel, what the handler starts runs within them
    const handled = () => (deliver.hasSubscribers ? deliver.runStores(event, next) : next())
    try {
      const settlement = await (span === undefined ? handled() : span.run(handled))
      tell(end(settlement))
      return settlement
    } catch (error) {
      tell({ outcome: 'release', failures: 1, error })
      throw error
    }
  }

  /** One call of a batch handler, beside what is told of each of its messages. */
  batch<T>(facts: BatchFacts, call: () => Promise<T>): Promise<T> {
    const span = this.#telemetry?.batch?.(facts)
    if (span === undefined) return call()
    return told(
      () => span.run(call),
      (failure) => span.end(failure),
    )
  }

  async request<T>(
    definition: Pick<Definition, 'wireType' | 'destination'>,
    transport: string,
    call: () => Promise<T>,
  ): Promise<T> {
    const span = this.#telemetry?.request(definition, transport)
    const sinceMs = steadyMs(this.#clock)
    const tell = (failure: Failure) => {
      span?.end(failure)
      const { request } = this.#channels
      if (!request.hasSubscribers) return
      request.publish({
        type: definition.wireType,
        destination: definition.destination.name,
        transport,
        outcome: failure === undefined ? 'replied' : 'failed',
        errorCode: codeOf(failure?.error),
        durationMs: Math.round(steadyMs(this.#clock) - sinceMs),
      } satisfies RequestEvent)
    }
    return await told(() => (span === undefined ? call() : span.run(call)), tell)
  }

  /** A reply that somebody waits for; `take` hands it to them. */
  reply(message: WireMessage, request: Pick<Definition, 'wireType'>, transport: string, take: () => void): void {
    const span = this.#telemetry?.process({
      message,
      definition: { wireType: `${request.wireType}.reply`, destination: message.destination },
      service: undefined,
      transport,
      attempt: 1,
    })
    if (span === undefined) return take()
    span.run(take)
    span.end({ outcome: 'ack', failures: 0 })
  }

  lateReply(total: number): void {
    this.#telemetry?.count('lateReplies', {})
    const { lateReply } = this.#channels
    if (lateReply.hasSubscribers) lateReply.publish({ total } satisfies LateReplyEvent)
  }
}

async function told<T>(work: () => Promise<T>, tell: (failure: Failure) => void): Promise<T> {
  let result: T
  try {
    result = await work()
  } catch (error) {
    tell({ error })
    throw error
  }
  tell(undefined)
  return result
}
