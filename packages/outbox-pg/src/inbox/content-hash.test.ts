import fc from 'fast-check'
import { expect, test } from 'vitest'
import { contentHash } from './content-hash.ts'

const circle: { self?: unknown } = {}
circle.self = circle

const deep = (inner: unknown) => Array.from({ length: 40 }).reduce((within) => [within], inner)

/** Pairs that differ in what JSON has no form for. */
const DIFFER: readonly (readonly [unknown, unknown])[] = [
  [{ seats: new Set([1]) }, { seats: new Set([2]) }],
  [{ seats: new Map([[1, 'a']]) }, { seats: new Map([[1, 'b']]) }],
  [{ image: new Uint8Array([1, 2]) }, { image: new Uint8Array([1, 3]) }],
  [new Uint8Array([1]), new Uint8Array([2])],
  [{ cents: 1n }, { cents: 2n }],
  [{ at: new Date(1) }, { at: new Date(2) }],
  [circle, { self: {} }],
  ['', undefined],
  [null, 'null'],
]

test('data that differs has another hash', () => {
  for (const [one, other] of [...DIFFER, [deep('a'), deep('b')]]) {
    expect(contentHash(one), String(one)).not.toBeNull()
    expect(contentHash(one), String(one)).not.toEqual(contentHash(other))
  }
})

test('a copy of the data has the same hash, however it was read', () => {
  for (const [one] of DIFFER) expect(contentHash(structuredClone(one)), String(one)).toEqual(contentHash(one))
  fc.assert(
    fc.property(fc.jsonValue(), (data) => {
      const text = JSON.stringify(data)
      expect(contentHash(JSON.parse(text))).toEqual(contentHash(JSON.parse(text)))
      expect(contentHash({ data: JSON.parse(text), more: 1 })).not.toEqual(contentHash({ data: JSON.parse(text) }))
    }),
  )
})

test('data without a serial form has none', () => {
  expect(contentHash({ seats: new Set([() => 1]) })).toBeNull()
  expect(contentHash({ lock: new WeakMap() })).toBeNull()
})
