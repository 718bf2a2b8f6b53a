import type { Telemetry, WireMessage } from '@waybill/core'

/**
 * Lets a message begin its part of the trace where it is written: its row carries the context, and the relay, which hands
 * on what it reads, starts no other.
 */
export function tracing<Row>(
  telemetry: Telemetry,
  carrier: string | undefined,
  finish: (message: WireMessage) => Row,
): (message: WireMessage) => Row {
  return (message) => {
    const transport = message.destination.transport ?? carrier
    const span = telemetry.send({ operation: 'create', message, transport })
    let row: Row
    try {
      row = span.run(() => finish(span.message))
    } catch (error) {
      span.end({ error })
      throw error
    }
    span.end(undefined)
    return row
  }
}
