import { setTimeout as pause } from 'node:timers/promises'
import type { World } from './world.ts'

/** Resolves with the next effect, and how many milliseconds it took. */
export async function nextEffect({ place: { broker }, pool }: World): Promise<number> {
  const startedMs = performance.now()
  const last = async () => Number((await pool.query(`select max(at) as at from "${broker}".effects`)).rows[0].at)
  for (const before = await last(); (await last()) <= before;) await pause(10)
  return Math.round(performance.now() - startedMs)
}
