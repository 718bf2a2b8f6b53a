import { sql } from 'kysely'
import type { Db } from '../database/tables.ts'
import type { RentalTransaction } from './rental-outbox.ts'

/** The business clock, kept by the database so that every process reads the same one. */
export async function businessNow(db: Db | RentalTransaction): Promise<Date> {
  const { rows } = await sql<{ now: Date }>`select rentsport.business_now() as now`.execute(db)
  return rows[0]!.now
}

/** Goes on from where the clock was last seen, so that business time never goes back; from then on at `speed`. */
export async function startBusinessClock(db: Db, speed: number): Promise<void> {
  await sql`update rentsport.business_clock
    set business_at = greatest(now(), seen_at), real_at = now(), speed = ${speed}, seen_at = greatest(now(), seen_at)`.execute(
    db,
  )
}

/** Remembers how far the clock has come, for the next start. */
export async function noteBusinessTime(db: Db): Promise<void> {
  await sql`update rentsport.business_clock set seen_at = greatest(seen_at, rentsport.business_now())`.execute(db)
}

export const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS
