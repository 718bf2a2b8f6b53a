import { parkedPg } from '@waybill/outbox-pg'
import { Pool } from 'pg'
import { document } from './describe.ts'

// #region example
const pool = new Pool({ connectionString: process.env.DATABASE_URL })

export const asyncapi = document
export const parked = parkedPg({ pool })
export const close = () => pool.end()
// #endregion
