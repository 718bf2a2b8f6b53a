import { setTimeout as pause } from 'node:timers/promises'
import { consume, Placed } from './parts.ts'
import { createBus } from '@waybill/core'
import { postgres } from '@waybill/outbox-pg'
import type { RowRun } from './run-kill-row.ts'
import { judge } from './verdict.ts'
import { openWorld } from './world.ts'

export const SAME_ID_ROW = 12

const IDS = 40
const COPIES = 3
const FAILING = 0.3
const WITHIN_MS = 60_000
const QUIET_MS = 700

/** Two readers of one service's inbox get each copy of each id at the same time, and roll back now and then. */
export async function runSameId(url: string, seed: number): Promise<RowRun> {
  await using world = await openWorld(url, { operations: IDS, window: 1 })
  const { place, pool } = world
  await using parts = new AsyncDisposableStack()
  for (const name of ['one', 'two']) parts.use(await consume(place, () => {}, name, FAILING))
  const bus = parts.use(createBus({ transport: postgres({ pool, schema: place.broker }), source: '/orders' }))
  for (let number = 1; number <= IDS; number++) {
    const op = `${seed}/${number}`
    await pool.query(`insert into "${place.log}".orders values ($1, $2, 1)`, [op, number])
    // each under a key of its own: nothing but the inbox keeps the copies apart
    const copies = Array.from({ length: COPIES }, () => bus.publish(Placed, { op, key: number, number: 1 }, { id: op }))
    await Promise.all(copies)
  }
  const untilMs = performance.now() + WITHIN_MS
  while ((await judge(pool, place)).lost > 0 && performance.now() < untilMs) await pause(20)
  await pause(QUIET_MS)
  return { row: SAME_ID_ROW, seed, kills: 0, verdict: await judge(pool, place) }
}
