import type { Transport } from './transport.ts'

/**
 * The same transport, kept open when the bus or relay it is given to is disposed: for several that use one connection.
 * Whoever made it disposes it.
 */
export function shared(transport: Transport): Transport {
  // a proxy, because what a transport has beyond the contract (the carriers of a route) must stay visible
  return new Proxy(transport, {
    get(target, name) {
      if (name === Symbol.asyncDispose) return keepOpen
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value as (...given: unknown[]) => unknown).bind(target) : value
    },
  })
}

const keepOpen = () => Promise.resolve()
