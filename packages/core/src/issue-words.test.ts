import { type } from 'arktype'
import fc from 'fast-check'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { ValidationError } from './errors.ts'
import { issueWords } from './issue-words.ts'
import { validate, type Schema } from './schema.ts'

/** The same wants in three libraries: each says in its own way what it got. */
const SCHEMAS: Readonly<Record<string, Schema>> = {
  zod: z.strictObject({
    number: z.number(),
    choice: z.enum(['a', 'b']),
    small: z.number().int().max(3),
    literal: z.literal('x'),
    either: z.union([z.number(), z.boolean()]),
    date: z.iso.date(),
    list: z.array(z.object({ deep: z.number() })),
  }),
  valibot: v.strictObject({
    number: v.number(),
    choice: v.picklist(['a', 'b']),
    small: v.pipe(v.number(), v.integer(), v.maxValue(3)),
    literal: v.literal('x'),
    either: v.union([v.number(), v.boolean()]),
    date: v.pipe(v.string(), v.isoDate()),
    list: v.array(v.object({ deep: v.number() })),
  }),
  arktype: type({
    '+': 'reject',
    number: 'number',
    choice: "'a'|'b'",
    small: 'number.integer < 3',
    literal: "'x'",
    either: 'number|boolean',
    date: 'string.date.iso',
    list: type({ deep: 'number' }).array(),
  }),
}

function errorOf(schema: Schema, value: unknown): ValidationError {
  try {
    void validate(schema, value, 'data')
  } catch (error) {
    return error as ValidationError
  }
  throw new Error('nothing was refused')
}

describe.each(Object.entries(SCHEMAS))('what %s says of data that does not fit', (_, schema) => {
  it('names each path, and never the value, whatever stands around it', () => {
    const marker = 'MARKER'
    const text = fc
      .tuple(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }))
      .map((parts) => parts.join(marker))
    const value = fc.oneof(
      text,
      text.map((inner) => [inner]),
      text.map((inner) => ({ inner })),
    )
    fc.assert(
      fc.property(value, text, (any, date) => {
        const data = {
          number: any,
          choice: any,
          small: 4_711.25,
          literal: any,
          either: any,
          date,
          list: [{ deep: 1 }, { deep: any }],
        }
        const error = errorOf(schema, data)
        const told = `${error.message} ${JSON.stringify(error.issues)}`
        expect(told).not.toContain(marker)
        expect(told).not.toContain('4711')
        const paths = new Set(error.issues.map(({ path }) => path))
        for (const path of ['number', 'choice', 'small', 'literal', 'either', 'date', 'list.1.deep']) {
          expect(paths).toContain(path)
        }
      }),
      { numRuns: 100 },
    )
  })

  it('says what was wanted', () => {
    const { message } = errorOf(schema, { number: 'x', choice: 'a', small: 1, literal: 'x', either: 1, list: [] })
    expect(message).toMatch(/^data does not fit its schema: .*number: .*number/)
  })
})

describe('the words of a schema', () => {
  it.each([
    ['Invalid input: expected number, received string', 'Invalid input: expected number, received string'],
    ['Invalid type: Expected number but received "x"y"', 'Invalid type: Expected number'],
    ['Invalid integer: Received 4711.5', 'Invalid integer'],
    ['must be a number (was 5)', 'must be a number'],
    ['must be a (was {"b":"c"})', 'must be a'],
    ['must be "a" (was 5)', 'must be …'],
    ['n (5) must be...\n  ◦ an integer', 'n (…) must be... ◦ an integer'],
    ['must be a `number` type, but the final value was: `"x"`', 'must be a …'],
    ['Expected number, actual 42', 'Expected number'],
    ['Received 5', 'does not fit'],
  ])('%j become %j', (words, told) => expect(issueWords(words)).toBe(told))

  it('are bounded, as are paths and their number', () => {
    const long = 'x'.repeat(10_000)
    const Wide = z.record(z.string(), z.number())
    const data = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`${long}${index}\r\n`, 'no']))
    const error = errorOf(Wide, data)
    expect(error.issues).toHaveLength(20)
    expect(JSON.stringify(error.issues).length).toBeLessThan(20_000)
    expect(error.message.length).toBeLessThan(2_500)
    expect(issueWords('x'.repeat(1_000))).toHaveLength(200)
    expect(issueWords(long)).toBe('does not fit')
  })
})
