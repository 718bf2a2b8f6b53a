import { ClosedError } from '../errors.ts'
import { systemPorts } from '../ports.ts'
import type { Subscription, Transport } from '../transport.ts'

/**
 * One client among several of a transport whose broker lives in this process: disposing it ends its own subscriptions
 * and reply addresses, as the end of a process would, and leaves the transport to the others.
 */
export function separateClient(transport: Transport): Transport {
  const opened = new Set<AsyncDisposable>()
  const subscriptions = new Set<Subscription>()
  let closed = false
  let closedAtMs = 0
  const closedError = () => new ClosedError(`this client of "${transport.name}" is disposed: make another`)
  const refuseClosed = () => {
    if (closed) throw closedError()
  }
  const client: Transport = {
    name: transport.name,
    capabilities: transport.capabilities,
    parked: transport.parked,
    publish(messages, options) {
      if (closed) return messages.map(() => Promise.reject(closedError()))
      return transport.publish(messages, options)
    },
    async health(options) {
      if (!closed) return await transport.health(options)
      return [
        { part: `client of ${transport.name}`, state: 'down', sinceMs: closedAtMs, reason: closedError().message },
      ]
    },
    async subscribe(options, deliver) {
      refuseClosed()
      const subscription = await transport.subscribe(options, deliver)
      subscriptions.add(subscription)
      return subscription
    },
    async [Symbol.asyncDispose]() {
      if (!closed) closedAtMs = systemPorts.clock.nowMs()
      closed = true
      await Promise.all([...subscriptions].map((subscription) => subscription.stop({ drainTimeoutMs: 0 })))
      await Promise.all([...opened].map((address) => address[Symbol.asyncDispose]()))
    },
  }
  if (transport.declare !== undefined) {
    client.declare = async (topology, options) => {
      refuseClosed()
      await transport.declare!(topology, options)
    }
  }
  if (transport.openReplies !== undefined) {
    client.openReplies = async (onReply, onLost) => {
      refuseClosed()
      const address = await transport.openReplies!(onReply, onLost)
      opened.add(address)
      return address
    }
  }
  return client
}
