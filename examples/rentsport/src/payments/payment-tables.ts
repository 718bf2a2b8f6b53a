import type { ColumnType, Generated, Kysely } from 'kysely'
import type { Currency, PaymentStatusWord } from '../contracts/words.ts'

export interface PaymentTable {
  id: string
  rental_id: number | null
  user_id: string
  /** `bigint` arrives as text. */
  amount_minor: ColumnType<string, number, number>
  currency: Currency
  method_masked: string
  method_secret: string | null
  fingerprint: string
  /** `null` until the gateway has accepted it. */
  status: PaymentStatusWord | null
  /** Of its last status; counts from 1. */
  number: Generated<number>
  undo: 'VOID' | 'REFUND' | null
  created_at: Generated<Date>
  give_up_at: ColumnType<Date, Date, Date>
  open: Generated<boolean>
}

export interface PaymentStatusTable {
  payment_id: string
  number: number
  status: PaymentStatusWord
  message: string
  at: ColumnType<Date, Date | string, never>
}

/** A type, not an interface: kysely's `withTables` wants one. */
export type PaymentTables = {
  'rentsport.payment': PaymentTable
  'rentsport.payment_status': PaymentStatusTable
}

export type PaymentDb = Kysely<PaymentTables>
