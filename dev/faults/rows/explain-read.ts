import type pg from 'pg'

interface Statement {
  readonly text: string
  readonly values: unknown[]
}

export interface ExplainedRead {
  readonly ms: number
  /** Pages that were looked at. */
  readonly buffers: number
  /** Rows that were read and thrown away. */
  readonly filtered: number
  /** Partitions of the log that were read whole, without their index. */
  readonly wholeScans: readonly string[]
}

/** A pool that remembers the last statement by which a reader asked for rows. */
export function rememberReads(pool: pg.Pool): { readonly pool: pg.Pool; last(): Statement | undefined } {
  let last: Statement | undefined
  const query = (statement: unknown, ...rest: unknown[]) => {
    if ((statement as Partial<Statement>).text?.startsWith('WITH page AS')) last = statement as Statement
    return (pool.query as (...all: unknown[]) => unknown)(statement, ...rest)
  }
  const remembering = new Proxy(pool, {
    get: (target, name) => (name === 'query' ? query : (Reflect.get(target, name) as () => unknown)),
  })
  return { pool: remembering, last: () => last }
}

/** What the same read costs from this position on. */
export async function explainRead(
  pool: pg.Pool,
  { text, values }: Statement,
  position: number,
): Promise<ExplainedRead> {
  const { rows } = await pool.query(`explain (analyze, buffers, format json) ${text}`, [
    values[0],
    String(position),
    ...values.slice(2),
  ])
  const [{ Plan: plan, 'Execution Time': ms }] = rows[0]['QUERY PLAN']
  const wholeScans: string[] = []
  let filtered = 0
  const visit = (node: Record<string, unknown>): void => {
    const relation = node['Relation Name'] as string | undefined
    const removed = Number(node['Rows Removed by Filter'] ?? 0)
    // empty partitions may be read as the server likes
    const rowsSeen = removed + Number(node['Actual Rows'])
    if (node['Node Type'] === 'Seq Scan' && relation?.startsWith('outbox_p') && rowsSeen > 0) wholeScans.push(relation)
    if (relation?.startsWith('outbox')) filtered += removed
    for (const child of (node.Plans ?? []) as Record<string, unknown>[]) visit(child)
  }
  visit(plan)
  return { ms, buffers: plan['Shared Hit Blocks'] + plan['Shared Read Blocks'], filtered, wholeScans }
}
