import type { Db } from '../database/tables.ts'
import { priceOf, type Price } from './price.ts'

/** What a rental would cost; `undefined` for equipment that isn't there. */
export async function quotePrice(db: Db, equipmentId: number, days: number): Promise<Price | undefined> {
  const equipment = await db
    .selectFrom('rentsport.equipment')
    .select(['price_per_day_minor', 'currency'])
    .where('id', '=', equipmentId)
    .executeTakeFirst()
  return equipment && priceOf(equipment, days)
}
