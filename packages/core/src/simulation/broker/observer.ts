import type { Delivery, Settlement, SubscribeOptions } from '../../transport.ts'
import type { WireMessage } from '../../wire-message.ts'
import type { Entry } from './entry.ts'

/** One delivery, as the client hands it to the core. */
export interface HandedOver {
  readonly client: string
  readonly entry: Entry
  readonly delivery: Delivery
  readonly options: SubscribeOptions
}

/** How an entry ended. `gone`: with the one instance it was for. */
export type Ending = 'ack' | 'deadLetter' | 'ackBefore' | 'gone'

/** Who watches what the broker does. */
export interface BrokerObserver {
  /** A client was asked to publish; whether it gets there is another matter. */
  published(client: string, message: WireMessage): void
  stored(entry: Entry): void
  /** The publisher is told that the broker has it. */
  confirmed(message: WireMessage): void
  /** A second message of a key was handed over while the first had no answer, to a broker that keeps no order. */
  overlapped(message: WireMessage): void
  handedOver(handed: HandedOver): void
  /** The core has settled a delivery; whether it reaches the broker is another matter. */
  settled(handed: HandedOver, settlement: Settlement): void
  closed(entry: Entry, how: Ending): void
  event(text: string): void
}

export const NOBODY: BrokerObserver = Object.freeze({
  published() {},
  stored() {},
  confirmed() {},
  overlapped() {},
  handedOver() {},
  settled() {},
  closed() {},
  event() {},
})
