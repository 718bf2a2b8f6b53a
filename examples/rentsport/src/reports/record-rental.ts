import { sql } from 'kysely'
import type { RentalStatus } from '../contracts/words.ts'
import type { RentalTransaction } from '../rentals/rental-outbox.ts'

interface RentalChange {
  readonly status: RentalStatus
  readonly starts_at?: string
  readonly ends_at?: string
  readonly closed_at?: string
}

/** The newest that is known of a rental. Its events come in order, being keyed by it. */
export async function recordRental(
  trx: RentalTransaction,
  { rental_id, equipment_id }: { readonly rental_id: number; readonly equipment_id: number },
  change: RentalChange,
): Promise<void> {
  await trx
    .insertInto('rentsport.report_rental')
    .values({ rental_id, equipment_id, ...change })
    .onConflict((row) =>
      row.column('rental_id').doUpdateSet({
        ...change,
        // A rental that expired and is then brought back was in use until it expired.
        ...(change.closed_at !== undefined && {
          closed_at: sql<Date>`coalesce(report_rental.closed_at, excluded.closed_at)`,
        }),
      }),
    )
    .execute()
}
