import { runConsumer } from '@waybill/core/testing'
import { postgres } from '@waybill/outbox-pg'
import pg from 'pg'

runConsumer({
  create: () => {
    const pool = new pg.Pool({ connectionString: process.env.BROKER_URL, max: 4 })
    return postgres({ pool, leaseMs: Number(process.env.LEASE_MS) })
  },
})
