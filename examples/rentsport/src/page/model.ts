/** The answers of the HTTP API that the page reads; described in full by /openapi.json. */
export interface User {
  readonly id: number
  readonly name: string
}

export interface Equipment {
  readonly id: number
  readonly name_en: string
  readonly name_ru: string
  readonly category: string
  readonly price_per_day_minor: number
  readonly currency: string
  readonly owner_id: number
  readonly units_free: number
  readonly status: 'available' | 'rented'
  readonly maintenance_due_since: string | null
}

export interface Rental {
  readonly id: number
  readonly equipment_id: number
  readonly payment_id: string
  readonly amount_minor: number
  readonly currency: string
  readonly status: string
  readonly ends_at: string | null
}

export interface Notification {
  readonly id: number
  readonly type: string
  readonly message: string
  readonly at: string
}

export interface ViewProps {
  readonly userId: number
}
