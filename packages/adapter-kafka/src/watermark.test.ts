import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Watermark } from './watermark.ts'

test('in any order of finishing, the mark is the lowest unfinished offset and ends after the last', () => {
  const log = fc
    .uniqueArray(fc.nat(10_000), { minLength: 1, maxLength: 60 })
    .map((offsets) => offsets.sort((a, b) => a - b))
  const story = log.chain((offsets) => fc.tuple(fc.constant(offsets), fc.shuffledSubarray(offsets)))
  fc.assert(
    fc.property(story, ([offsets, finishing]) => {
      const mark = new Watermark()
      for (const offset of offsets) mark.opened(offset)
      const open = new Set(offsets)
      let before = mark.low!
      for (const offset of finishing) {
        mark.finished(offset)
        open.delete(offset)
        const low = open.size > 0 ? Math.min(...open) : offsets.at(-1)! + 1
        expect(mark.low).toBe(low)
        expect(low).toBeGreaterThanOrEqual(before)
        before = low
      }
    }),
  )
})

test('offsets without a delivery move the mark only when nothing before them is open', () => {
  const mark = new Watermark()
  expect(mark.low).toBeUndefined()
  mark.passed(4)
  expect(mark.low).toBe(5)
  mark.opened(5)
  mark.passed(9)
  expect(mark.low).toBe(5)
  mark.finished(5)
  expect(mark.low).toBe(10)
})

test('what was finished beyond the mark is known again after a rebalance, what was open is not', () => {
  const before = new Watermark()
  for (const offset of [7, 8, 9]) before.opened(offset)
  before.finished(8)
  const after = new Watermark(before)
  expect([7, 8, 9, 10].map((offset) => after.isFinished(offset))).toEqual([false, true, false, false])
})

test('a topic made anew starts lower, and nothing of the old one counts', () => {
  const before = new Watermark()
  before.begin(50)
  for (const offset of [50, 51]) before.opened(offset)
  before.finished(51)
  const after = new Watermark(before)
  expect(after.isFinished(0)).toBe(false)
  expect(after.isFinished(51)).toBe(false)
})
