import type { PgClient, PgPool } from './database.ts'

const guarded = new WeakSet<object>()

/**
 * Hears errors of a pool's connections while they are handed out: one that ends in that very moment says so before who
 * asked for it can listen, and unheard it would end the process. What is done on it fails all the same.
 * @see https://node-postgres.com/apis/pool#events
 */
export function guardClients(pool: PgPool): void {
  if (guarded.has(pool)) return
  guarded.add(pool)
  const emitter = pool as unknown as { on?(event: 'acquire', listener: (client: PgClient) => void): unknown }
  emitter.on?.('acquire', (client) => {
    if (guarded.has(client)) return
    guarded.add(client)
    const events = client as unknown as { on(event: 'error', listener: () => void): unknown }
    events.on('error', () => {})
  })
}
