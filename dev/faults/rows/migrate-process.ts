// Brings both schemas of a run to the newest version, as its own release knows it.
import { migrate } from '@waybill/outbox-pg'
import pg from 'pg'
import type { Place } from './parts.ts'

const { url, log, broker } = JSON.parse(process.env.PLACE!) as Place
const pool = new pg.Pool({ connectionString: url, max: 1 })
await migrate({ pool, schema: log })
await migrate({ pool, schema: broker })
await pool.end()
