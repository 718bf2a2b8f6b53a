import { amqp } from '@waybill/adapter-amqp'
import { kafka } from '@waybill/adapter-kafka'
import type { Transport } from '@waybill/core'
import { postgres } from '@waybill/outbox-pg'
import type pg from 'pg'

export const CARRIERS = ['postgres', 'amqp', 'kafka'] as const
export type CarrierName = (typeof CARRIERS)[number]

/** What carries the messages of a run, and where it is; PostgreSQL is where the run has its tables. */
export type CarrierAt = { readonly name: 'postgres' } | { readonly name: 'amqp' | 'kafka'; readonly url: string }

export const LEASE_MS = 500
export const POLL_MS = 20
/** Of readers that listen: looking alone would be noticed. */
export const LISTEN_POLL_MS = 1_000
/** The least that a Kafka broker takes. */
const SESSION_MS = 6_000

/** Of PostgreSQL as carrier. */
export interface CarrierOptions {
  readonly listen?: string | undefined
  /** @default LEASE_MS */
  readonly leaseMs?: number | undefined
}

/** A client of the carrier. `pool`, `schema` and the options are those of PostgreSQL as carrier. */
export function openCarrier(at: CarrierAt, pool: pg.Pool, schema: string, options: CarrierOptions = {}): Transport {
  const { listen, leaseMs = LEASE_MS } = options
  if (at.name === 'postgres') return postgres({ pool, schema, leaseMs, listen, pollMs: pollMsOf(listen) })
  if (at.name === 'amqp') return amqp({ url: at.url, heartbeatMs: 2_000, reconnectMs: { first: 50, max: 1_000 } })
  return kafka({ brokers: [at.url], partitions: 3, heartbeatMs: 300, sessionTimeoutMs: SESSION_MS })
}

/** How long readers wait between looks. */
export const pollMsOf = (listen: string | undefined): number => (listen === undefined ? POLL_MS : LISTEN_POLL_MS)
