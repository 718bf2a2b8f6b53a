import { OverloadError, PublishError } from './errors.ts'
import { Fifo } from './fifo.ts'
import type { Publisher } from './transport.ts'
import type { CallOptions, WireMessage } from './wire-message.ts'

/** What waits behind others of its key, also when its caller has given up and can't be seen any more. */
const MAX_WAITING = 10_000

interface Waiting {
  readonly message: WireMessage
  readonly options: CallOptions | undefined
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

/**
 * Gives a publisher without `orderedPublish` the order of keys: one unsettled message per destination and ordering key
 * at a time. When one fails, those of its key that wait behind it fail with it, so the confirmed ones are a prefix.
 * Unkeyed messages pass straight through; a publisher that keeps the order itself is returned as it is.
 * @param maxWaiting so many wait for one of their key; one more is an `OverloadError`. @default 10_000
 */
export function keyedPublisher(publisher: Publisher, maxWaiting = MAX_WAITING): Publisher {
  if (publisher.capabilities?.orderedPublish === true) return publisher
  const lanes = new Map<string, Fifo<Waiting>>()
  let count = 0

  return {
    capabilities: publisher.capabilities,
    publish(messages, options) {
      if (messages.every((message) => message.orderingKey === undefined)) return publisher.publish(messages, options)
      return messages.map((message) =>
        message.orderingKey === undefined ? publishOne(publisher, message, options) : enter(message, options),
      )
    },
  }

  function enter(message: WireMessage, options: CallOptions | undefined): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const name = laneOf(message)
      const waiting: Waiting = { message, options, resolve, reject }
      const lane = lanes.get(name)
      if (lane !== undefined) {
        if (count >= maxWaiting) {
          const text = `${count} messages wait for an earlier one of their ordering key: publish slower, or check the carrier`
          return reject(new OverloadError(text))
        }
        count++
        return lane.push(waiting)
      }
      lanes.set(name, new Fifo())
      void run(name, waiting)
    })
  }

  async function run(name: string, first: Waiting): Promise<void> {
    const lane = lanes.get(name)!
    for (let next: Waiting | undefined = first; next !== undefined; next = shift(lane)) {
      try {
        // whoever gave up while waiting was never handed over, so its place is simply free
        if (next.options?.signal?.aborted === true) throw next.options.signal.reason
        await publishOne(publisher, next.message, next.options)
        next.resolve()
      } catch (error) {
        next.reject(error)
        if (next.options?.signal?.aborted !== true) failAll(lane, error)
      }
    }
    lanes.delete(name)
  }

  function failAll(lane: Fifo<Waiting>, cause: unknown): void {
    for (let waiting = shift(lane); waiting !== undefined; waiting = shift(lane)) {
      const { name } = waiting.message.destination
      const text = `publish to "${name}" not tried: an earlier message of its ordering key failed; publish it again after that one`
      waiting.reject(new PublishError(text, { scope: 'message', retryable: true, mayExist: false, cause }))
    }
  }

  function shift(lane: Fifo<Waiting>): Waiting | undefined {
    const next = lane.shift()
    if (next !== undefined) count--
    return next
  }
}

function laneOf({ destination, orderingKey }: WireMessage): string {
  return JSON.stringify([destination.transport, destination.kind, destination.name, orderingKey])
}

/** Publishes one message, whatever the publisher does wrong. (R1) */
export function publishOne(publisher: Publisher, message: WireMessage, options?: CallOptions): Promise<void> {
  const text = `publish to "${message.destination.name}" broke the contract of its publisher`
  try {
    const settled = publisher.publish([message], options)
    if (settled.length === 1) return settled[0]!
    for (const promise of settled) promise.catch(() => {})
    return Promise.reject(
      new PublishError(`${text}: one promise per message is due`, { scope: 'transport', mayExist: true }),
    )
  } catch (cause) {
    return Promise.reject(new PublishError(text, { scope: 'transport', mayExist: true, cause }))
  }
}
