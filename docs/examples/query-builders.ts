/** For Knex: `outbox.in(fromKnex(trx)).publish(…)`. Its placeholders are question marks, one for each value. */
export const fromKnex = (trx: {
  raw(sql: string, bindings: readonly unknown[]): PromiseLike<{ rows: unknown[] }>
}) => ({
  async query(text: string, values: unknown[] = []) {
    const bindings: unknown[] = []
    const sql = text.replaceAll(/\$(\d+)/g, (_, place) => {
      bindings.push(values[Number(place) - 1])
      return '?'
    })
    return { rows: (await trx.raw(sql, bindings)).rows }
  },
})

/** For Drizzle: `outbox.in(fromDrizzle(trx, sql)).publish(…)`, with its own `sql` of drizzle-orm. */
export const fromDrizzle = <Sql>(
  trx: { execute(query: Sql): PromiseLike<{ rows: unknown[] }> },
  sql: { raw(text: string): Sql; param(value: unknown): unknown; join(parts: (Sql | unknown)[]): Sql },
) => ({
  async query(text: string, values: unknown[] = []) {
    // every second part is the number of a value
    const parts = text.split(/\$(\d+)/)
    const query = sql.join(
      parts.map((part, at) => (at % 2 === 0 ? sql.raw(part) : sql.param(values[Number(part) - 1]))),
    )
    return { rows: (await trx.execute(query)).rows }
  },
})
