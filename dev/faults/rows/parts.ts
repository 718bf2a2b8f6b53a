import { createBus, defineEvent, on, retryPolicy, type Publisher } from '@waybill/core'
import { createInbox, createOutbox, startRelay, type Inbox, type Relay, type RelayOptions } from '@waybill/outbox-pg'
import pg from 'pg'
import { z } from 'zod'
import { LEASE_MS, openCarrier, pollMsOf, type CarrierAt } from './carrier.ts'
import type { Reach } from './failpoint.ts'

/** Where the parts of one run meet. `log` is the outbox's schema, `broker` that of inbox, effects, and PostgreSQL as carrier. */
export interface Place {
  readonly url: string
  readonly log: string
  readonly broker: string
  readonly carrier: CarrierAt
  readonly operations: number
  /** Messages that the relay has on its way at once. */
  readonly window: number
  /** Where relay and readers listen for notifications. @default they poll, often */
  readonly listen?: string | undefined
  /** Of the relay, and of PostgreSQL as carrier. @default LEASE_MS */
  readonly leaseMs?: number | undefined
}

export const KEYS = 5

/** The event of one run, on a topic of its own: runs share their broker. */
export function placedIn({ log }: Pick<Place, 'log'>) {
  return defineEvent('order.placed', {
    schema: z.object({ op: z.string(), key: z.number(), number: z.number() }),
    orderingKey: ({ key }) => String(key),
    destination: { kind: 'topic', name: `${log}.placed` },
  })
}

/** The name of a service of one run. */
export const serviceIn = ({ log }: Pick<Place, 'log'>, name = 'effects') => `${log}.${name}`

type Order = z.infer<ReturnType<typeof placedIn>['schema']>

function poolOf({ url }: Place, max: number): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max })
  pool.on('error', () => {})
  return pool
}

/** Commits operations with their messages until there are enough; every seventh is rolled back. */
export async function produce(place: Place, reach: Reach): Promise<void> {
  const { log, operations } = place
  const pool = poolOf(place, 4)
  const Placed = placedIn(place)
  const outbox = createOutbox({ db: pool, source: '/orders', schema: log, transport: 'carrier' })
  const write = async () => {
    for (let turn = 1; ; turn++) {
      const { rows: written } = await pool.query(`select count(*)::int as count from "${log}".orders`)
      if (written[0].count >= operations) return
      const op = crypto.randomUUID()
      const key = 1 + Math.floor(Math.random() * KEYS)
      const rolledBack = turn % 7 === 0
      const done = outbox.transaction(async (trx, messages) => {
        const { rows } = await trx.query(
          `update "${log}".counter set number = number + 1 where key = $1 returning number`,
          [key],
        )
        const { number } = rows[0]
        await trx.query(`insert into "${log}".orders values ($1, $2, $3)`, [op, key, number])
        messages.publish(Placed, { op, key, number })
        reach('in-transaction')
        if (rolledBack) throw new RolledBack()
      })
      await done.catch((error: unknown) => {
        if (!(error instanceof RolledBack)) throw error
      })
      reach('after-commit')
    }
  }
  await Promise.all([write(), write(), write()])
  await pool.end()
}

class RolledBack extends Error {}

/** The relay from the log to the carrier. */
export function relay(
  place: Place,
  reach: Reach,
  { pool: shared, ...options }: Pick<RelayOptions, 'retryMs' | 'onParked'> & { readonly pool?: pg.Pool } = {},
): AsyncDisposable & Pick<Relay, 'parked' | 'health'> {
  // what breaks while idle is for the relay to hear: unheard it would end the process
  const pool = shared ?? new pg.Pool({ connectionString: place.url, max: 6 })
  const inner = openCarrier(place.carrier, pool, place.broker, { leaseMs: place.leaseMs })
  const carrier: Publisher & AsyncDisposable = {
    capabilities: inner.capabilities,
    publish(messages, options) {
      reach('before-publish')
      return inner.publish(messages, options).map((promise) => promise.then(() => reach('after-confirm')))
    },
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  }
  const { log: schema, window, listen } = place
  const running = startRelay({
    pool,
    schema,
    window,
    leaseMs: place.leaseMs ?? LEASE_MS,
    listen,
    pollMs: pollMsOf(listen),
    transports: { carrier },
    ...options,
  })
  return {
    parked: running.parked,
    health: () => running.health(),
    async [Symbol.asyncDispose]() {
      await running.stop()
      if (shared === undefined) await pool.end()
    },
  }
}

export interface ConsumeOptions {
  /** Of its reader; all names share one inbox. @default 'effects' */
  readonly name?: string | undefined
  /** How many of the handler's runs fail, from 0 to 1. @default 0 */
  readonly failing?: number | undefined
  /** Takes messages without a type for its own. @default false */
  readonly foreign?: boolean | undefined
  /** @default the inbox's own */
  readonly retentionMs?: number | undefined
  /** @default never */
  readonly sweepEveryMs?: number | undefined
  /** @default the bus's own */
  readonly concurrency?: number | undefined
  /** One that others use too. @default its own */
  readonly pool?: pg.Pool | undefined
  /** Told of each error of a handler or its transaction. */
  readonly onFailure?: ((error: { readonly code?: string }) => void) | undefined
}

/** A service that writes one effect per operation. */
export async function consume(
  place: Place,
  reach: Reach,
  { name = 'effects', failing = 0, foreign = false, onFailure, ...given }: ConsumeOptions = {},
): Promise<AsyncDisposable & { readonly inbox: Inbox }> {
  const { broker } = place
  const pool = given.pool ?? poolOf(place, 8)
  const inbox = createInbox({ db: pool, schema: broker, retentionMs: given.retentionMs })
  if (given.sweepEveryMs !== undefined) inbox.startSweeping({ everyMs: given.sweepEveryMs })
  const Placed = placedIn(place)
  const bus = createBus({
    transport: openCarrier(place.carrier, pool, broker, place),
    source: '/effects',
    retry: retryPolicy({ inProcess: { tries: 20, firstMs: 1, maxMs: 5 } }),
  })
  const once = inbox.once<Order>(async ({ op, key, number }, { trx }) => {
    await trx.query(`insert into "${broker}".effects (op, key, number) values ($1, $2, $3)`, [op, key, number])
    reach('after-effect')
    if (Math.random() < failing) throw new Error('rolled back, as planned')
  })
  await bus.subscribe(
    serviceIn(place, name),
    [
      on(Placed, async (data, context) => {
        reach('before-inbox', data.op)
        const settlement = await once(data, Object.create(context, { service: { value: 'effects' } })).catch(
          (error) => {
            onFailure?.(error)
            throw error
          },
        )
        reach('after-inbox')
        return settlement
      }),
    ],
    // a group that is new when its instance is killed would begin behind what it never handled
    {
      ...(place.carrier.name === 'kafka' && { start: 'earliest' as const }),
      ...(foreign && { assume: Placed }),
      ...(given.concurrency !== undefined && { concurrency: given.concurrency }),
    },
  )
  return {
    inbox,
    async [Symbol.asyncDispose]() {
      await bus[Symbol.asyncDispose]()
      await inbox[Symbol.asyncDispose]()
      if (given.pool === undefined) await pool.end()
    },
  }
}
