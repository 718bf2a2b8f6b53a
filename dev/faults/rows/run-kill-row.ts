import { setTimeout as pause } from 'node:timers/promises'
import type { KillRow } from './kill-rows.ts'
import { consume, produce, relay } from './parts.ts'
import { judge, type Verdict } from './verdict.ts'
import { Victim } from './victim.ts'
import { openWorld } from './world.ts'

export interface RowRun {
  readonly row: number
  readonly seed: number
  readonly kills: number
  readonly verdict: Verdict
}

const OPERATIONS = 60
const KILLS = 2
const WITHIN_MS = 60_000
/** What comes late would come within this time: several polls and leases' ends of all parts. */
const QUIET_MS = 700

/** One seeded run: all parts but one here, that one in a process which is killed and started again. */
export async function runKillRow(url: string, row: KillRow, seed: number): Promise<RowRun> {
  await using world = await openWorld(url, { operations: OPERATIONS, window: row.window })
  const { place, pool } = world
  const random = randomOf(seed * 1_000 + row.row)
  const times = Array.from({ length: KILLS }, () => 1 + Math.floor(random() * row.within))
  const victim = new Victim(row, place, times)
  const failed = victim.ended.then(() => new Promise<never>(() => {}))
  await using parts = new AsyncDisposableStack()
  try {
    await Promise.race([failed, work()])
  } finally {
    await victim.stop().catch(() => {})
  }
  return { row: row.row, seed, kills: victim.kills, verdict: await judge(pool, place) }

  async function work(): Promise<void> {
    const unharmed = () => {}
    if (row.part !== 'consumer') parts.use(await consume(place, unharmed))
    if (row.part !== 'relay') parts.use(relay(place, unharmed))
    if (row.part === 'producer') await victim.ended
    else await produce(place, unharmed)
    const untilMs = performance.now() + WITHIN_MS
    for (;;) {
      const { lost } = await judge(pool, place)
      const killed = row.part === 'producer' || victim.kills === KILLS
      // more is written until the last kill has come to pass
      if (lost === 0 && killed) break
      if (lost === 0) await produce({ ...place, operations: (await judge(pool, place)).committed + 10 }, unharmed)
      // what is lost shows in the verdict
      if (performance.now() > untilMs) break
      await pause(20)
    }
    await pause(QUIET_MS)
  }
}

/** @see https://en.wikipedia.org/wiki/Xorshift */
function randomOf(seed: number): () => number {
  let state = (seed * 2_654_435_761) >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
