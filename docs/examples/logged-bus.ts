import { createBus, type Transport } from '@waybill/core'
import pino, { type DestinationStream } from 'pino'

export function loggedBus(transport: Transport, stream: DestinationStream) {
  // #region example
  const logger = pino({ level: 'debug' }, stream)
  const bus = createBus({ transport, source: '/billing', logger })
  // #endregion
  return bus
}
