import { setTimeout as pause } from 'node:timers/promises'
import { seededRandom } from '../seeded-random.ts'
import type { KillRow } from './kill-rows.ts'
import { consume, produce, relay } from './parts.ts'
import { QUIET_MS, type Shown } from './scenario.ts'
import { judge } from './verdict.ts'
import { Victim } from './victim.ts'
import { openWorld, type WorldAt } from './world.ts'

const OPERATIONS = 60
const KILLS = 2
const WITHIN_MS = 60_000

/** One seeded run: all parts but one here, that one in a process which is killed and started again. */
export async function runKillRow(row: KillRow, { seed, ...at }: WorldAt & { readonly seed: number }): Promise<Shown> {
  await using world = await openWorld(at, { operations: OPERATIONS, window: row.window })
  const { place, pool } = world
  const random = seededRandom(seed * 1_000 + row.row)
  const times = Array.from({ length: KILLS }, () => 1 + Math.floor(random() * row.within))
  const victim = new Victim(row, place, times)
  const failed = victim.ended.then(() => new Promise<never>(() => {}))
  await using parts = new AsyncDisposableStack()
  try {
    await Promise.race([failed, work()])
  } finally {
    await victim.stop().catch(() => {})
  }
  return { kills: victim.kills, verdict: await judge(pool, place) }

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
