import type { ParkedMessage } from '@waybill/core'
import type { Logger } from '@waybill/core'
import type { Database } from '../database/open.ts'
import type { PartReport } from '../supervisor/part-state.ts'
import type { RentalOutbox } from '../rentals/rental-outbox.ts'
import type { RegisterPayment, Rental } from '../rentals/book.ts'
import type { Availability } from '../rentals/branches.ts'
import type { Price } from '../rentals/price.ts'

/** A status as it goes to the page; `number` counts those of one payment from 1. */
export interface LiveStatus {
  readonly number: number
  readonly status: string
  readonly message: string
}

export interface Charge {
  readonly payment_id: string
  readonly amount_minor: number
  readonly currency: string
  readonly at: string
}

/** What the page needs of payments. */
export interface PaymentService {
  readonly register: RegisterPayment
  /** Sees to it that the rental's payment is under way; returns at once. */
  start(rental: Rental, paymentMethod: string): void
  /** Statuses after the given number, each the moment it exists, until the final one; `undefined` for an unknown payment. */
  watch(paymentId: string, afterNumber: number, signal: AbortSignal): Promise<AsyncIterable<LiveStatus> | undefined>
  charges(paymentId: string): Promise<readonly Charge[]>
}

/** Everything the HTTP API stands on. */
export interface WebServices {
  readonly database: Database
  readonly outbox: RentalOutbox
  readonly payments: PaymentService
  readonly logger: Logger
  quote(equipmentId: number, days: number): Promise<Price>
  availability(category: string): Promise<Availability>
  parked(): AsyncIterable<ParkedMessage>
  health(): readonly PartReport[]
  /** Built page and its index. */
  readonly pageFolder: string
  /** Of the rooms that have a process of their own; `undefined` while one is being started again. */
  pids(): Readonly<Record<string, number | undefined>>
}
