import type { PgPool } from './database.ts'

interface Emitter {
  getMaxListeners?(): number
  setMaxListeners?(count: number): unknown
}

/** Listens for idle connections that break; a pool without such a listener would end the process. */
export function watchPool(pool: PgPool, onError: (error: Error) => void): () => void {
  const emitter = pool as Emitter
  // many readers may share one pool: that is no leak, each listener is taken off again
  const allow = (change: number) => emitter.setMaxListeners?.((emitter.getMaxListeners?.() ?? 10) + change)
  allow(1)
  pool.on('error', onError)
  return () => {
    pool.removeListener('error', onError)
    allow(-1)
  }
}
