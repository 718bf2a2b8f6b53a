import type pg from 'pg'
import type { Place } from './parts.ts'

/** What became of one run's operations. */
export interface Verdict {
  readonly committed: number
  /** Committed, and without effect. */
  readonly lost: number
  /** Effects beyond the first of an operation. */
  readonly doubled: number
  /** Effects, or messages on the carrier, of what was never committed. */
  readonly unexpected: number
  /** First effects of a key that came before those of earlier operations. */
  readonly disordered: number
  /** Messages that the carrier had twice: allowed. */
  readonly copies: number
}

/** How ids of messages begin that a row sends beside the operations, to be refused. */
export const PLANNED = 'planned/'

/** The ledger of committed operations against effects, which have no unique key. */
export async function judge(pool: pg.Pool, { log, broker }: Place): Promise<Verdict> {
  const { rows } = await pool.query(`
    with firsts as (select op, key, min(number) as number, min(at) as at, count(*) as times from "${broker}".effects group by op, key),
      followed as (select number, lag(number) over (partition by key order by at) as before from firsts)
    select
      (select count(*)::int from "${log}".orders) as committed,
      (select count(*)::int from "${log}".orders o where not exists (select from firsts where op = o.op)) as lost,
      (select coalesce(sum(times - 1), 0)::int from firsts) as doubled,
      (select count(*)::int from (select op from firsts union
          select body_text::json ->> 'op' from "${broker}".outbox where not starts_with(message_id, '${PLANNED}')) f
        where not exists (select from "${log}".orders where op = f.op)) as unexpected,
      (select count(*)::int from followed where before > number) as disordered,
      (select (count(*) - count(distinct message_id))::int from "${broker}".outbox) as copies`)
  return rows[0] as Verdict
}

export function clean({ lost, doubled, unexpected, disordered }: Verdict): boolean {
  return lost + doubled + unexpected + disordered === 0
}
