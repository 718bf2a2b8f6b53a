import { TransactionError } from '@waybill/core'
import { runPlan, type Database, type Queryable } from '@waybill/outbox-pg'
import type { Knex } from 'knex'

/** For Knex: `createOutbox({ db: fromKnex(knex), source })` and `createInbox({ db: fromKnex(knex) })`. */
export const fromKnex = (knex: Knex): Database<Knex.Transaction> => ({
  transaction: (plan) => knex.transaction((trx) => runPlan(plan, trx, throughKnex(trx))),
  inTransaction(value) {
    const trx = value as Knex.Transaction | null
    if (typeof trx?.raw !== 'function') return undefined
    if (trx.isTransaction && !trx.isCompleted()) return throughKnex(trx)
    throw new TransactionError('this Knex is in no open transaction: give the trx of knex.transaction')
  },
})

const throughKnex = (trx: Knex.Transaction): Queryable => ({
  async query(text, values = []) {
    const bindings: unknown[] = []
    // a question mark stands for a value, and as many are wanted as given
    const sql = text.replaceAll('?', '\\?').replaceAll(/\$(\d+)/g, (_, place) => {
      bindings.push(values[Number(place) - 1])
      return '?'
    })
    return trx.raw(sql, bindings as Knex.RawBinding[])
  },
})
