// What `waybill-outbox relay --config` is given in the row of a full log disk.
import { appendFileSync } from 'node:fs'
import type { Logger } from '@waybill/core'
import pg from 'pg'
import { LEASE_MS, openCarrier, POLL_MS } from './carrier.ts'
import type { Place } from './parts.ts'

const place = JSON.parse(process.env.PLACE!) as Place
const log = (fields: object, text: string) => appendFileSync('relay.log', `${text} ${JSON.stringify(fields)}\n`)

export const pool = new pg.Pool({ connectionString: place.url, max: 6 })
pool.on('error', () => {})
export const transports = { carrier: openCarrier(place.carrier, pool, place.broker) }
export const logger: Logger = { debug: log, info: log, warn: log, error: log }
export const [leaseMs, pollMs, window] = [LEASE_MS, POLL_MS, place.window]
export const close = () => pool.end()
