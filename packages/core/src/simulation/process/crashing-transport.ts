import type { Delivery, Settlement, Subscription, Transport } from '../../transport.ts'

/** Where a process may die. `touch` says whether it lives on. */
export interface Mortal {
  touch(): boolean
}

const NEVER = new Promise<never>(() => {})

/** A transport at whose every call and answer the process may die; after that nothing gets out of it or into it. */
export function crashingTransport(transport: Transport, process: Mortal): Transport {
  const call = <T>(action: () => Promise<T>): Promise<T> => (process.touch() ? fenced(action()) : NEVER)
  return {
    name: transport.name,
    capabilities: transport.capabilities,
    parked: transport.parked,
    publish: (messages, options) => {
      if (!process.touch()) return messages.map(() => NEVER)
      return transport.publish(messages, options).map(fenced)
    },
    declare: (topology, options) => call(() => transport.declare!(topology, options)),
    subscribe: (options, deliver) =>
      call(async () => subscription(await transport.subscribe(options, (delivery) => arrive(delivery, deliver)))),
    health: (options) => call(() => transport.health(options)),
    ...(transport.openReplies !== undefined && {
      openReplies: (onReply, onLost) =>
        call(() =>
          transport.openReplies!(
            (reply) => void (process.touch() && onReply(reply)),
            (reason) => void (process.touch() && onLost(reason)),
          ),
        ),
    }),
    [Symbol.asyncDispose]: () => call(() => Promise.resolve(transport[Symbol.asyncDispose]())),
  }

  function fenced<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      promise.then(
        (value) => void (process.touch() && resolve(value)),
        (error: unknown) => void (process.touch() && reject(error as Error)),
      )
    })
  }

  function arrive(delivery: Delivery, deliver: (delivery: Delivery) => Promise<Settlement>): Promise<Settlement> {
    return call(() => deliver(delivery))
  }

  function subscription(inner: Subscription): Subscription {
    return {
      capabilities: inner.capabilities,
      ended: fenced(inner.ended),
      stop: (options) => call(() => inner.stop(options)),
      ...(inner.pause !== undefined && { pause: () => void (process.touch() && inner.pause!()) }),
      ...(inner.resume !== undefined && { resume: () => void (process.touch() && inner.resume!()) }),
      [Symbol.asyncDispose]: () => call(() => inner.stop()),
    }
  }
}
