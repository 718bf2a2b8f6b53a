import { randomBytes } from 'node:crypto'
import { migrate } from '@waybill/outbox-pg'
import pg from 'pg'
import { KEYS, type Place } from './parts.ts'

/** Tables of one run, in a PostgreSQL that it may share with others. */
export async function openWorld(url: string, settings: Pick<Place, 'operations' | 'window'>) {
  const name = `faults_${randomBytes(5).toString('hex')}`
  const place: Place = { url, log: `${name}_log`, broker: `${name}_broker`, ...settings }
  const pool = new pg.Pool({ connectionString: url, max: 3 })
  pool.on('error', () => {})
  await migrate({ pool, schema: place.log })
  await migrate({ pool, schema: place.broker })
  await pool.query(`
    create table "${place.log}".orders (op text primary key, key int, number int);
    create table "${place.log}".counter as select key, 0 as number from generate_series(1, ${KEYS}) key;
    create table "${place.broker}".effects (at bigint generated always as identity, op text, key int, number int)`)
  return {
    pool,
    place,
    async [Symbol.asyncDispose]() {
      await pool.query(`drop schema "${place.log}" cascade`)
      await pool.query(`drop schema "${place.broker}" cascade`)
      await pool.end()
    },
  }
}
