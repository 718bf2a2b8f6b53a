import { randomBytes } from 'node:crypto'
import { migrate } from '@waybill/outbox-pg'
import pg from 'pg'
import { openCarrier, type CarrierAt } from './carrier.ts'
import { KEYS, placedIn, serviceIn, type Place } from './parts.ts'

export interface WorldAt {
  readonly url: string
  readonly carrier: CarrierAt
}

export type World = Awaited<ReturnType<typeof openWorld>>

/** Tables of one run, in a PostgreSQL that it may share with others, and what its service reads. */
export async function openWorld({ url, carrier }: WorldAt, settings: Pick<Place, 'operations' | 'window' | 'leaseMs'>) {
  const name = `faults_${randomBytes(5).toString('hex')}`
  const place: Place = { url, log: `${name}_log`, broker: `${name}_broker`, carrier, ...settings }
  const pool = new pg.Pool({ connectionString: url, max: 3 })
  pool.on('error', () => {})
  await migrate({ pool, schema: place.log })
  await migrate({ pool, schema: place.broker })
  await pool.query(`
    create table "${place.log}".orders (op text primary key, key int, number int);
    create table "${place.log}".counter as select key, 0 as number from generate_series(1, ${KEYS}) key;
    create table "${place.broker}".effects (at bigint generated always as identity, op text, key int, number int)`)
  if (carrier.name !== 'postgres') {
    // what is published before the service is known reaches nobody
    await using transport = openCarrier(carrier, pool, place.broker)
    const { destination } = placedIn(place)
    await transport.declare!({
      destinations: [destination],
      subscriptions: [
        { service: serviceIn(place), sources: [{ kind: 'topic', name: destination.name }], mode: 'ordered' },
      ],
    })
  }
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
