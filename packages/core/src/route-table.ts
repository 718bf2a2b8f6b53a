import type { Route } from './handler.ts'

/**
 * Which route takes which type on the wire: the one of that very version, else the nearest newer one that upcasts it.
 * A map, so that a type named like a property of every object finds nothing.
 */
export function routeTable(routes: readonly Route[]): ReadonlyMap<string, Route> {
  const table = new Map<string, Route>()
  const newestFirst = [...routes].sort((one, other) => other.definition.version - one.definition.version)
  for (const route of newestFirst) for (const older of route.definition.older?.keys() ?? []) table.set(older, route)
  for (const route of routes) table.set(route.definition.wireType, route)
  return table
}
