import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { subjectMatches } from './subject.ts'

/** The rule as it is read aloud; exponential, so only for short ones. */
function naive(pattern: readonly string[], words: readonly string[]): boolean {
  const [want, ...wants] = pattern
  if (want === undefined) return words.length === 0
  if (want === '#') return naive(wants, words) || (words.length > 0 && naive(pattern, words.slice(1)))
  return words.length > 0 && (want === '*' || want === words[0]) && naive(wants, words.slice(1))
}

const word = fc.constantFrom('a', 'b', 'renter')

describe('subjectMatches', () => {
  it('agrees with the rule read aloud', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(word, fc.constantFrom('*', '#')), { minLength: 1, maxLength: 6 }),
        fc.array(word, { maxLength: 6 }),
        (pattern, words) => {
          expect(subjectMatches(pattern.join('.'), words.join('.'))).toBe(naive(pattern, words))
        },
      ),
      { numRuns: 2_000 },
    )
  })

  it('takes no exponential time', () => {
    const started = performance.now()
    expect(subjectMatches(`${'#.a.'.repeat(50)}b`, Array(5_000).fill('a').join('.'))).toBe(false)
    expect(performance.now() - started).toBeLessThan(1_000)
  })
})
