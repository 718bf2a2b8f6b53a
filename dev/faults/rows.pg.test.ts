import { expect, test } from 'vitest'
import { KILL_ROWS } from './rows/kill-rows.ts'
import { runRows, ROWS } from './rows/run-rows.ts'
import { clean } from './rows/verdict.ts'

// few seeds, as each release stands on them; `npm run faults -- --rows 1-12` runs more
test.for(ROWS.filter(({ quick }) => quick))('row $row: $what', { timeout: 90_000 }, async ({ row }, { skip }) => {
  await runRows({
    url: process.env.DATABASE_URL!,
    carriers: [{ name: 'postgres' }],
    rows: [row],
    seeds: [1],
    faultMs: 1_000,
    parallel: 1,
    onRun({ kills, verdict, note }) {
      if (note?.startsWith('cannot run here')) skip(note)
      expect(verdict, note).toMatchObject({ lost: 0, doubled: 0, unexpected: 0, disordered: 0 })
      expect(clean(verdict!)).toBe(true)
      expect(verdict!.committed).toBeGreaterThanOrEqual(40)
      if (KILL_ROWS.some((kill) => kill.row === row)) expect(kills).toBe(2)
    },
  })
})
