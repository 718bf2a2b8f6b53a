import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { SettleEvent } from '@waybill/core'

/** Tells of each delivery that took longer; the returned function ends it. */
export function tellSlow(limitMs: number, tell: (text: string) => void): () => void {
  const onSettle = (event: unknown) => {
    const { service, type, outcome, durationMs } = event as SettleEvent
    if (durationMs > limitMs) tell(`${service} took ${durationMs} ms for "${type}": ${outcome}`)
  }
  subscribe('waybill:settle', onSettle)
  return () => unsubscribe('waybill:settle', onSettle)
}
