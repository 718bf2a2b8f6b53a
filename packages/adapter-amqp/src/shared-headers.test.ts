import fc from 'fast-check'
import { expect, it } from 'vitest'
import { SharedHeaders } from './shared-headers.ts'

/** What amqplib encodes of it: names own or inherited, values that are not undefined. */
function encoded(headers: Readonly<Record<string, unknown>>): Map<string, unknown> {
  const table = Object.create(headers) as Record<string, unknown>
  const pairs = new Map<string, unknown>()
  for (const name in table) if (table[name] !== undefined) pairs.set(name, table[name])
  return pairs
}

const name = fc.oneof(
  fc.constantFrom('__proto__', 'constructor', 'toString'),
  fc.integer({ max: 200 }).map((n) => `h${n}`),
)
const value = fc.oneof(fc.string(), fc.constant(undefined), fc.integer())

it('hands over the headers of each message and nothing of those before it', () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.tuple(name, value), { maxLength: 80 })), (messages) => {
      const shared = new SharedHeaders()
      for (const pairs of messages) {
        const given = Object.create(null) as Record<string, unknown>
        for (const [key, one] of pairs) given[key] = one
        const expected = new Map(Object.entries(given).filter(([, one]) => one !== undefined))
        expect(encoded(shared.with(given))).toEqual(expected)
      }
    }),
  )
})

it('stays small, whatever names come by', () => {
  const shared = new SharedHeaders()
  for (let i = 0; i < 1_000; i++) {
    const headers = shared.with({ always: 1, [`name-${i}`]: i })
    expect(Object.keys(headers).length).toBeLessThanOrEqual(64)
  }
})
