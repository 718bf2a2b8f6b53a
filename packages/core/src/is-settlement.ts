import type { Settlement } from './transport.ts'

/** Whether a handler or middleware said how the delivery ends. */
export function isSettlement(given: unknown): given is Settlement {
  return typeof (given as { outcome?: unknown } | null | undefined)?.outcome === 'string'
}
