import type { WireHeaders, WireMessage } from '../../wire-message.ts'

/** One message that one service owes a settlement: the broker's durable state of it. */
export interface Entry {
  readonly service: string
  readonly message: WireMessage
  /** Its place in the service's log; a requeued one goes to the end. */
  sequence: number
  /** Deliveries that ended without being given back as not tried, and one more. */
  attempt: number
  notes: WireHeaders | undefined
  state: 'waiting' | 'delayed' | 'open' | 'settled'
  /** While it is delayed. */
  notBeforeMs: number
}
