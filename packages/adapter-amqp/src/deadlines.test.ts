import { manualTime } from '@waybill/core/testing'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Deadlines } from './deadlines.ts'

it('ends what waits no sooner than its time and at most a sixteenth or a tick later, and only what still waits', async () => {
  const waits = fc.record({
    timeoutMs: fc.constantFrom(1, 40, 160, 5_000),
    afterMs: fc.integer({ min: 0, max: 700 }),
    endsIn: fc.option(fc.integer({ min: 0, max: 6_000 })),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(waits, { maxLength: 30 }), async (given) => {
      const time = manualTime()
      const late: { item: object; atMs: number }[] = []
      const deadlines = new Deadlines<object>(time.ports.timers, (item) => late.push({ item, atMs: time.nowMs() }))
      const items: { timeoutMs: number; addedMs: number; item: object; endedMs: number }[] = []
      for (const { timeoutMs, afterMs, endsIn } of given) {
        await time.advance(afterMs)
        const item = {}
        const slot = deadlines.add(item, timeoutMs)
        const entry = { timeoutMs, addedMs: time.nowMs(), item, endedMs: Infinity }
        items.push(entry)
        if (endsIn === null) continue
        time.ports.timers.schedule(() => {
          if (slot.delete(item) && !late.some((end) => end.item === item)) entry.endedMs = time.nowMs()
        }, endsIn)
      }
      await time.advance(20_000)
      for (const { timeoutMs, addedMs, item, endedMs } of items) {
        const ends = late.filter((end) => end.item === item)
        const latestMs = addedMs + timeoutMs + Math.max(timeoutMs / 16, 20)
        if (endedMs < addedMs + timeoutMs) expect(ends).toEqual([])
        else {
          expect(ends.length).toBe(endedMs === Infinity ? 1 : 0)
          for (const { atMs } of ends) {
            expect(atMs).toBeGreaterThanOrEqual(addedMs + timeoutMs)
            expect(atMs).toBeLessThanOrEqual(latestMs)
          }
        }
      }
    }),
    { numRuns: 50 },
  )
})

it('leaves no timer behind once nothing waits', async () => {
  const time = manualTime()
  const deadlines = new Deadlines<object>(time.ports.timers, () => {})
  const item = {}
  deadlines.add(item, 5_000).delete(item)
  await time.advance(1_000)
  expect(time.armed).toBe(0)
  deadlines.add(item, 5_000)
  deadlines.clear()
  expect(time.armed).toBe(0)
})
