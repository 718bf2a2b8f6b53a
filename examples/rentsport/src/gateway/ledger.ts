import { sleep, systemPorts } from '@waybill/core'
import type { Pool, PoolClient } from 'pg'
import type { Charge } from './contract.ts'
import { GATEWAY_MIGRATION } from './gateway-migration.ts'

export interface Decision {
  readonly outcome: 'COMPLETED' | 'DECLINED' | 'VOIDED'
  readonly message: string
}

/** The bank's books in PostgreSQL. Every method may be repeated; the first decision about a payment stands. */
export class Ledger {
  readonly #pool: Pool

  constructor(pool: Pool) {
    this.#pool = pool
  }

  /** Makes the tables; waits for a database that is still starting. */
  async open(timeoutMs = 10_000): Promise<void> {
    const giveUpAtMs = Date.now() + timeoutMs
    for (;;) {
      try {
        // Two gateways that start at once would both find no tables.
        return await this.#transaction(async (client) => {
          await client.query("select pg_advisory_xact_lock(hashtext('gateway migration'))")
          await client.query(GATEWAY_MIGRATION)
        })
      } catch (error) {
        if (Date.now() > giveUpAtMs) throw error
        await sleep(systemPorts.timers, 200)
      }
    }
  }

  async decision(paymentId: string): Promise<Decision | undefined> {
    const { rows } = await this.#pool.query<Decision>(
      'select outcome, message from gateway.decision where payment_id = $1',
      [paymentId],
    )
    return rows[0]
  }

  /** Decides, and books the charge with a success; an earlier decision stands and is returned. */
  decide(paymentId: string, wanted: Decision, amountMinor: number, currency: string): Promise<Decision> {
    return this.#transaction(async (client) => {
      const { rowCount } = await client.query(
        'insert into gateway.decision (payment_id, outcome, message) values ($1, $2, $3) on conflict do nothing',
        [paymentId, wanted.outcome, wanted.message],
      )
      if (rowCount === 0) {
        const text = 'select outcome, message from gateway.decision where payment_id = $1'
        const { rows } = await client.query<Decision>(text, [paymentId])
        return rows[0]!
      }
      if (wanted.outcome === 'COMPLETED') {
        const text = 'insert into gateway.charge (payment_id, amount_minor, currency) values ($1, $2, $3)'
        await client.query(text, [paymentId, amountMinor, currency])
      }
      return wanted
    })
  }

  /** False where there was no charge to give back. */
  async refund(paymentId: string): Promise<boolean> {
    const { rowCount } = await this.#pool.query(
      `insert into gateway.refund (payment_id) select payment_id from gateway.charge where payment_id = $1
       on conflict (payment_id) do update set at = gateway.refund.at`,
      [paymentId],
    )
    return (rowCount ?? 0) > 0
  }

  /** Money that was taken and not given back. */
  async charges(paymentId: string): Promise<Charge[]> {
    const { rows } = await this.#pool.query<{ payment_id: string; amount_minor: string; currency: string; at: Date }>(
      `select payment_id, amount_minor, currency, at from gateway.charge
       where payment_id = $1 and not exists (select from gateway.refund where refund.payment_id = charge.payment_id)`,
      [paymentId],
    )
    return rows.map(({ amount_minor, at, ...rest }) => ({
      ...rest,
      amount_minor: Number(amount_minor),
      at: at.toISOString(),
    }))
  }

  async #transaction<R>(work: (client: PoolClient) => Promise<R>): Promise<R> {
    const client = await this.#pool.connect()
    let failure: Error | undefined
    try {
      await client.query('begin')
      const result = await work(client)
      await client.query('commit')
      return result
    } catch (error) {
      failure = error as Error
      await client.query('rollback').catch(() => undefined)
      throw error
    } finally {
      client.release(failure)
    }
  }
}
