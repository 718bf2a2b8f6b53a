import { EQUIPMENT, PEOPLE } from './inventory.ts'
import type { Db } from './tables.ts'

/** Puts people and equipment in; what is there already stays as it is. */
export async function seed(db: Db): Promise<void> {
  await db
    .insertInto('rentsport.person')
    .values(PEOPLE)
    .onConflict((row) => row.doNothing())
    .execute()
  await db
    .insertInto('rentsport.equipment')
    .values(EQUIPMENT)
    .onConflict((row) => row.doNothing())
    .execute()
}
