import type { Outbox, OutboxMessages } from '@waybill/outbox-pg'
import type { Transaction } from 'kysely'
import type { Tables } from '../database/tables.ts'

/** The transaction that rentals, payments and their messages share. */
export type RentalTransaction = Transaction<Tables>
export type RentalOutbox = Outbox<RentalTransaction>
export type RentalMessages = OutboxMessages
