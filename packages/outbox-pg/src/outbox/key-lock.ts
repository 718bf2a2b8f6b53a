import type { PgStatement } from '../database.ts'
import type { NewRow } from '../insert.ts'

const SLOTS = 1_024

/** One statement that locks the keys of these messages until COMMIT, sorted, so that two transactions can't deadlock. */
export function keyLockStatement(schema: string, rows: readonly NewRow[]): PgStatement | undefined {
  const slots = new Set<number>()
  for (const { message } of rows) {
    if (message.orderingKey !== undefined) slots.add(hash(message.orderingKey) % SLOTS)
  }
  if (slots.size === 0) return undefined
  const sorted = [...slots].sort((left, right) => left - right)
  return {
    text: 'SELECT pg_advisory_xact_lock($1::int, slot) FROM unnest($2::int[]) AS slot',
    values: [hash(`waybill key ${schema}`) | 0, sorted],
  }
}

function hash(text: string): number {
  let value = 0x811c9dc5
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  return value >>> 0
}
