import { createBus, type Transport } from '@waybill/core'
import { openTelemetry } from '@waybill/core/opentelemetry'

export function tracedBus(transport: Transport) {
  // #region example
  const telemetry = openTelemetry()
  const bus = createBus({ transport, source: '/billing', telemetry })
  // #endregion
  return bus
}
