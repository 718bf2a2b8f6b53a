import { sql } from 'kysely'
import type { Db } from '../database/tables.ts'
import type { Currency } from '../contracts/words.ts'

export interface Report {
  readonly revenue: readonly { readonly currency: Currency; readonly amount_minor: number; readonly payments: number }[]
  readonly active_rentals: number
  readonly rentals: Readonly<Record<string, number>>
  readonly payments: Readonly<Record<string, number>>
  /** Hours in use, and the share of all unit hours since the first rental. */
  readonly utilisation: readonly { readonly equipment_id: number; readonly hours: number; readonly share: number }[]
}

/** What the report service's tables say now, on the business clock. */
export async function readReport(db: Db): Promise<Report> {
  const [revenue, rentals, payments, utilisation] = await Promise.all([
    sql<{ currency: Currency; amount_minor: number; payments: number }>`
      select currency, sum(amount_minor)::float8 as amount_minor, count(*)::int as payments
      from rentsport.report_payment where status = 'COMPLETED' group by currency order by currency`.execute(db),
    sql<{ status: string; count: number }>`
      select status, count(*)::int as count from rentsport.report_rental group by status order by status`.execute(db),
    sql<{ status: string; count: number }>`
      select status, count(*)::int as count from rentsport.report_payment group by status order by status`.execute(db),
    sql<{ equipment_id: number; hours: number; share: number }>`
      with used as (
        select equipment_id, extract(epoch from
          least(coalesce(closed_at, ends_at), ends_at, (select rentsport.business_now())) - starts_at) / 3600 as hours
        from rentsport.report_rental where starts_at is not null
      ), span as (
        select greatest(extract(epoch from (select rentsport.business_now()) - min(starts_at)) / 3600, 1) as hours
        from rentsport.report_rental
      )
      select used.equipment_id, sum(used.hours)::float8 as hours,
        least(sum(used.hours) / (max(span.hours) * max(equipment.units)), 1)::float8 as share
      from used cross join span join rentsport.equipment on equipment.id = used.equipment_id
      group by used.equipment_id order by share desc, used.equipment_id`.execute(db),
  ])
  const counts = (rows: readonly { status: string; count: number }[]) =>
    Object.fromEntries(rows.map(({ status, count }) => [status, count]))
  const byStatus = counts(rentals.rows)
  return {
    revenue: revenue.rows,
    active_rentals: byStatus.ACTIVE ?? 0,
    rentals: byStatus,
    payments: counts(payments.rows),
    utilisation: utilisation.rows,
  }
}
