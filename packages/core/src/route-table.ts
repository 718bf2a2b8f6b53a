import { createHash } from 'node:crypto'
import type { Route } from './handler.ts'
import type { WireMessage } from './wire-message.ts'

/** Which route of a service takes a message: the one of its very version, else the nearest newer one that upcasts it. */
export class RouteTable {
  readonly #byType: ReadonlyMap<string, Route>
  /** The route of messages that come without a type. */
  readonly #assume: Route | undefined
  /** Routes that forward whatever comes from where they read. */
  readonly #takers: readonly Extract<Route, { readonly kind: 'forward' }>[]

  constructor(routes: readonly Route[], assume: Route | undefined) {
    this.#byType = byType(routes)
    this.#assume = assume
    this.#takers = routes.filter((route) => route.kind === 'forward')
  }

  of(message: WireMessage): Route | undefined {
    const { type } = message
    return (
      this.#byType.get(type) ??
      this.#takers.find(({ takes }) => takes?.(message) === true) ??
      (type === '' ? this.#assume : undefined)
    )
  }

  /** Gives a foreign message without an id its place for one, or its content where foreign ones are expected (R9). */
  identify(message: WireMessage, position: string | undefined): WireMessage | undefined {
    if (position === undefined && this.#assume === undefined) return undefined
    const content = () => createHash('sha256').update(message.body ?? '')
    return { ...message, id: position ?? content().digest('hex') }
  }
}

/** A map, so that a type named like a property of every object finds nothing. */
function byType(routes: readonly Route[]): ReadonlyMap<string, Route> {
  const table = new Map<string, Route>()
  const newestFirst = [...routes].sort((one, other) => other.definition.version - one.definition.version)
  for (const route of newestFirst) for (const older of route.definition.older?.keys() ?? []) table.set(older, route)
  for (const route of routes) table.set(route.definition.wireType, route)
  return table
}
