import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Bag } from './bag.ts'

it('holds what a set would hold, whatever comes and goes', () => {
  const step = fc.record({ item: fc.nat(20), add: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const items = Array.from({ length: 21 }, () => ({ place: -1 }))
      const bag = new Bag<{ place: number }>()
      const set = new Set<{ place: number }>()
      for (const { item, add } of steps) {
        const chosen = items[item]!
        if (add && !set.has(chosen)) {
          bag.add(chosen)
          set.add(chosen)
        } else if (!add) {
          expect(bag.delete(chosen)).toBe(set.delete(chosen))
        }
        expect(bag.size).toBe(set.size)
        expect(bag.has(chosen)).toBe(set.has(chosen))
      }
      expect(new Set(bag)).toEqual(set)
    }),
  )
})
