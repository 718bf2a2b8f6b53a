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
      // what may go at once goes in one call
      const going: WireMessage[] = []
      const names: (string | undefined)[] = []
      const promises = messages.map((message) => {
        const name = message.orderingKey === undefined ? undefined : laneOf(message)
        const lane = name === undefined ? undefined : lanes.get(name)
        if (lane !== undefined) return enter(lane, message, options)
        if (name !== undefined) lanes.set(name, new Fifo())
        going.push(message)
        names.push(name)
        return undefined
      })
      const sent = publishAll(publisher, going, options)
      let next = 0
      return promises.map((waiting) => {
        if (waiting !== undefined) return waiting
        const name = names[next]
        const promise = sent[next++]!
        if (name === undefined) return promise
        return new Promise<void>((resolve, reject) => follow(name, promise, { options, resolve, reject }))
      })
    },
  }

  function enter(lane: Fifo<Waiting>, message: WireMessage, options: CallOptions | undefined): Promise<void> {
    if (count >= maxWaiting) {
      const text = `${count} messages wait for an earlier one of their ordering key: publish slower, or check the carrier`
      return Promise.reject(new OverloadError(text))
    }
    count++
    return new Promise((resolve, reject) => lane.push({ message, options, resolve, reject }))
  }

  /** Tells the caller first, then those behind it: who hears of both can tell the cause from what followed. */
  function follow(name: string, sent: Promise<void>, { options, resolve, reject }: Omit<Waiting, 'message'>): void {
    sent.then(
      () => {
        resolve()
        goOn(name)
      },
      (error: unknown) => {
        reject(error)
        // whoever gave up says nothing about those behind it
        if (options?.signal?.aborted !== true) failAll(lanes.get(name)!, error)
        goOn(name)
      },
    )
  }

  function goOn(name: string): void {
    const lane = lanes.get(name)!
    for (let next = shift(lane); next !== undefined; next = shift(lane)) {
      // whoever gave up while waiting was never handed over, so its place is simply free
      if (next.options?.signal?.aborted === true) next.reject(next.options.signal.reason)
      else return follow(name, publishOne(publisher, next.message, next.options), next)
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

function laneOf({ destination: { transport = '', kind, name }, orderingKey }: WireMessage): string {
  return `${kind} ${transport.length} ${name.length} ${transport}${name}${orderingKey}`
}

/** Publishes one message, whatever the publisher does wrong. (R1) */
export function publishOne(publisher: Publisher, message: WireMessage, options?: CallOptions): Promise<void> {
  return publishAll(publisher, [message], options)[0]!
}

/** One promise per message, whatever the publisher does wrong. (R1) */
function publishAll(
  publisher: Publisher,
  messages: readonly WireMessage[],
  options: CallOptions | undefined,
): readonly Promise<void>[] {
  if (messages.length === 0) return []
  const text = `publish to "${messages[0]!.destination.name}" broke the contract of its publisher`
  const broken = (what: string, cause?: unknown) => {
    const error = new PublishError(`${text}: ${what}`, { scope: 'transport', mayExist: true, cause })
    return messages.map(() => Promise.reject(error))
  }
  try {
    const settled = publisher.publish(messages, options)
    if (settled.length === messages.length) return settled
    for (const promise of settled) promise.catch(() => {})
    return broken('one promise per message is due')
  } catch (cause) {
    return broken('it threw', cause)
  }
}
