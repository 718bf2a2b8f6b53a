import { ValidationError } from '@waybill/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { amountOf, MAX_AMOUNT_MINOR, minorUnitsOf } from './money.ts'

test.each([
  [19.99, 1_999],
  [0.01, 1],
  [1, 100],
  [1.1, 110],
  [4.35, 435],
  [9_999_999.99, 999_999_999],
  [10_000_000, 1_000_000_000],
])('%f is %i minor units', (amount, minorUnits) => expect(minorUnitsOf(amount)).toBe(minorUnits))

test.each([
  [0.1 + 0.2, 'not exact'],
  [19.999, 'not exact'],
  [1e-7, 'not exact'],
  [5e-324, 'not exact'],
  [0, 'zero'],
  [-0, 'zero'],
  [-19.99, 'negative'],
  [-Infinity, 'endless'],
  [Infinity, 'endless'],
  [NaN, 'not a number'],
  [10_000_000.01, 'above the maximum'],
  [1e21, 'above the maximum'],
])('%f is refused: %s', (amount, reason) => {
  expect(() => minorUnitsOf(amount)).toThrow(ValidationError)
  expect(() => minorUnitsOf(amount)).toThrow(reason)
})

test('every whole number of minor units survives the way out and in', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: MAX_AMOUNT_MINOR }), (minorUnits) => {
      expect(minorUnitsOf(amountOf(minorUnits))).toBe(minorUnits)
    }),
  )
})

test('a double is either refused, or the one nearest to its minor units', () => {
  fc.assert(
    fc.property(fc.double(), (amount) => {
      let minorUnits: number
      try {
        minorUnits = minorUnitsOf(amount)
      } catch (error) {
        return error instanceof ValidationError
      }
      return Number.isSafeInteger(minorUnits) && minorUnits > 0 && amountOf(minorUnits) === amount
    }),
    { numRuns: 2_000 },
  )
})
