import type { ColumnType, Generated, Kysely } from 'kysely'
import type { Currency, RentalStatus } from '../contracts/words.ts'

type Timestamp = ColumnType<Date, Date | string, Date | string>
type OptionalTimestamp = ColumnType<Date | null, Date | string | null, Date | string | null>

/** Someone who rents, owns, or both. */
export interface PersonTable {
  id: number
  name: string
  email: string
  phone: string
  language: 'ru' | 'en'
  channel: 'email' | 'sms' | 'push'
}

/** A model in the inventory, of which the owner has so many units. */
export interface EquipmentTable {
  id: number
  category: string
  name_en: string
  name_ru: string
  price_per_day_minor: number
  currency: Currency
  owner_id: number
  units: number
  /** Rental hours after which maintenance is due. */
  maintenance_every_hours: number
  /** Rental hours so far. */
  rented_hours: Generated<number>
  /** Rental hours at which maintenance was last asked for. */
  maintained_at_hours: Generated<number>
  maintenance_due_since: OptionalTimestamp
}

export interface RentalTable {
  id: Generated<number>
  equipment_id: number
  user_id: number
  days: number
  amount_minor: number
  currency: Currency
  payment_id: string
  status: RentalStatus
  reason: string | null
  booked_at: Timestamp
  starts_at: OptionalTimestamp
  ends_at: OptionalTimestamp
  closed_at: OptionalTimestamp
}

/** What the notification service delivered, and by which ways. */
export interface NotificationDeliveredTable {
  id: Generated<string>
  message_id: string
  service: string
  type: string
  inventory_id: number
  user_id: number
  message: string
  sent_at: Timestamp
  channels: string[]
  delivered_at: ColumnType<Date, never, never>
}

/** The report service's own picture of each rental, made of events alone. */
export interface ReportRentalTable {
  rental_id: number
  equipment_id: number
  status: RentalStatus
  starts_at: OptionalTimestamp
  ends_at: OptionalTimestamp
  closed_at: OptionalTimestamp
}

/** The report service's own picture of each payment, made of events alone. */
export interface ReportPaymentTable {
  payment_id: string
  status: string
  number: number
  amount_minor: number
  currency: Currency
}

export interface Tables {
  'rentsport.person': PersonTable
  'rentsport.equipment': EquipmentTable
  'rentsport.rental': RentalTable
  'rentsport.notification_delivered': NotificationDeliveredTable
  'rentsport.report_rental': ReportRentalTable
  'rentsport.report_payment': ReportPaymentTable
}

export type Db = Kysely<Tables>
