import { expect, test } from 'vitest'
import { runRows, ROWS } from './rows/run-rows.ts'
import { clean } from './rows/verdict.ts'

// few seeds, as each release stands on them; `npm run faults -- --rows 1-12` runs more
test.for(ROWS)('row $row: $what', { timeout: 90_000 }, async ({ row }) => {
  await runRows({
    url: process.env.DATABASE_URL!,
    rows: [row],
    seeds: [1],
    parallel: 1,
    onRun({ kills, verdict }) {
      expect(verdict).toMatchObject({ lost: 0, doubled: 0, unexpected: 0, disordered: 0 })
      expect(clean(verdict)).toBe(true)
      expect(verdict.committed).toBeGreaterThanOrEqual(40)
      expect(kills).toBe(row === 12 ? 0 : 2)
    },
  })
})
